// Channels and locks.
package main

import (
	"fmt"
	"sync"
)

// To and fro through two channels with room for one item.
func queue(int) {
	const batch = 10000
	there, back := make(chan *int, 1), make(chan *int, 1)
	sent, received := 0, 0

	go func() {
		for item := range there {
			back <- item
		}
	}()
	start := cpu()
	for {
		for i := 0; i < batch; i++ {
			there <- &sent
			if <-back == &sent {
				received++
			}
		}
		sent += batch
		if enough(start) {
			break
		}
	}
	elapsed := cpu() - start
	close(there)
	check(received == sent, "every item comes back")
	reportNs(elapsed, sent)
}

//go:noinline
func empty() {}

func ns(work func()) float64 {
	const batch = 10000
	done := 0

	start := cpu()
	for !enough(start) {
		work()
		done += batch
	}
	return float64((cpu() - start).Nanoseconds()) / float64(done)
}

func lock(int) {
	const batch = 10000
	var mutex sync.Mutex

	emptyNs := ns(func() {
		for i := 0; i < batch; i++ {
			empty()
		}
	})
	lockNs := ns(func() {
		for i := 0; i < batch; i++ {
			mutex.Lock()
			mutex.Unlock()
		}
	})
	fmt.Printf("{\"ns\": %.7g, \"over_ns\": %.7g}\n", lockNs, lockNs-emptyNs)
}
