// How late a sleep ends and a socket is served while one goroutine yields and never rests.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"time"
)

func yieldForEver() {
	for {
		runtime.Gosched()
	}
}

func reportTimes(times []time.Duration, unit time.Duration) {
	check(len(times) > 0, "something was measured")
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	fmt.Printf("{\"median\": %.7g, \"worst\": %.7g}\n", float64(times[len(times)/2])/float64(unit),
		float64(times[len(times)-1])/float64(unit))
}

func fairSleep(int) {
	var times []time.Duration

	go yieldForEver()
	for i := 0; i < 6; i++ {
		start := time.Now()
		time.Sleep(50 * time.Millisecond)
		times = append(times, time.Since(start))
	}
	reportTimes(times, time.Millisecond)
}

// Each message is the time when it was sent.
func fairSocket(int) {
	var times []time.Duration
	message := make([]byte, 8)
	messages, err := net.FileConn(os.Stdin)
	if err != nil {
		fail(err)
	}

	go yieldForEver()
	fmt.Println("{\"ready\": 1}")
	for {
		if _, err := io.ReadFull(messages, message); err != nil {
			break
		}
		sent := int64(binary.LittleEndian.Uint64(message))
		times = append(times, time.Duration(time.Now().UnixNano()-sent))
	}
	reportTimes(times, time.Microsecond)
}
