// Sleeps and timeouts.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

func milliseconds(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1e6
}

// How long the k-th of count sleepers sleeps, as nap_ns in measure.h.
func nap(k, count int) time.Duration {
	return time.Duration(k*7368787%count) * time.Second / time.Duration(count)
}

func sleep(count int) {
	var all sync.WaitGroup
	ran, early := 0, 0
	var lastLate time.Duration

	start, cpuStart := time.Now(), cpu()
	all.Add(count)
	for k := 0; k < count; k++ {
		go func(length time.Duration) {
			begin := time.Now()
			time.Sleep(length)
			lastLate = time.Since(begin) - length
			if lastLate < 0 {
				early++
			}
			ran++
			all.Done()
		}(nap(k, count))
	}
	all.Wait()
	over := time.Since(start) - time.Duration(count-1)*time.Second/time.Duration(count)
	check(ran == count, "every task runs once")
	fmt.Printf("{\"cpu_ms\": %.7g, \"late_ms\": %.7g, \"early\": %d, \"over_ms\": %.7g}\n",
		milliseconds(cpu()-cpuStart), milliseconds(lastLate), early, milliseconds(over))
}

// A context with a timeout, made and cancelled while others are armed. The deadlines are those of armed_s
// in measure.h.
func timeout(count int) {
	const batch = 10000
	for k := 0; k < count; k++ {
		time.AfterFunc(100*time.Second+100*nap(k, count), func() { check(false, "no timer expires") })
	}

	entered := 0
	start := cpu()
	for {
		for i := 0; i < batch; i++ {
			_, cancel := context.WithTimeout(context.Background(), 150*time.Second)
			cancel()
		}
		entered += batch
		if enough(start) {
			break
		}
	}
	reportNs(cpu()-start, entered)
}
