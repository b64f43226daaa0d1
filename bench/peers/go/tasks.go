// Goroutines: yielding, creating, waiting for them, and what they take while they wait.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// The main goroutine is one of the count and keeps the time. The yields of all are counted together: the
// scheduler does not keep them in step.
func yield(count int) {
	var running atomic.Bool
	var all sync.WaitGroup
	yields := 0

	running.Store(true)
	all.Add(count - 1)
	for i := 1; i < count; i++ {
		go func() {
			for running.Load() {
				runtime.Gosched()
				yields++
			}
			all.Done()
		}()
	}
	for i := 0; i < 3; i++ {
		runtime.Gosched() // now every stack has been touched
	}
	check(yields >= count-1, "every task has begun")
	start, before := cpu(), yields
	for batch := 1 + 10000/count; !enough(start); {
		for i := 0; i < batch; i++ {
			runtime.Gosched()
			yields++
		}
	}
	elapsed := cpu() - start
	yields -= before
	running.Store(false)
	all.Wait()
	reportNs(elapsed, yields)
}

func spawn(int) {
	const batch = 10000
	var one sync.WaitGroup
	ran, spawned := 0, 0

	start := cpu()
	for {
		for i := 0; i < batch; i++ {
			one.Add(1)
			go func() {
				ran++
				one.Done()
			}()
			one.Wait()
		}
		spawned += batch
		if enough(start) {
			break
		}
	}
	elapsed := cpu() - start
	check(ran == spawned, "every task runs once")
	reportNs(elapsed, spawned)
}

func spawnManyNs(count, rounds int) float64 {
	ran := 0

	start := cpu()
	for round := 0; round < rounds; round++ {
		var all sync.WaitGroup
		all.Add(count)
		for i := 0; i < count; i++ {
			go func() {
				ran++
				all.Done()
			}()
		}
		all.Wait()
	}
	elapsed := cpu() - start
	check(ran == count*rounds, "every task runs once")
	return float64(elapsed.Nanoseconds()) / float64(count*rounds)
}

func spawnMany(count int) {
	rounds := 1
	if count < 100000 {
		rounds = 100000 / count
	}
	first := spawnManyNs(count, 1)
	again := spawnManyNs(count, rounds)
	fmt.Printf("{\"first_ns\": %.7g, \"again_ns\": %.7g}\n", first, again)
}

// Goroutines that wait until the channel is closed.
type waiters struct {
	all   sync.WaitGroup
	event chan struct{}
	ran   int
}

func park(count int) *waiters {
	w := &waiters{event: make(chan struct{})}
	waiting := 0
	w.all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			waiting++
			<-w.event
			w.ran++
			w.all.Done()
		}()
	}
	for waiting < count {
		runtime.Gosched()
	}
	check(w.ran == 0, "every task waits")
	return w
}

func (w *waiters) wake(count int) {
	close(w.event)
	w.all.Wait()
	check(w.ran == count, "every task is woken and ends")
}

func parked(count int) {
	ns := func() float64 {
		start := cpu()
		park(count).wake(count)
		return float64((cpu() - start).Nanoseconds()) / float64(count)
	}
	first := ns()
	again := ns()
	fmt.Printf("{\"first_ns\": %.7g, \"again_ns\": %.7g}\n", first, again)
}

// Resident bytes, and bytes of page tables.
func footprint() (resident, pageTables float64) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		fail(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "VmRSS:":
			resident = float64(kilobytes) * 1024
		case "VmPTE:":
			pageTables = float64(kilobytes) * 1024
		}
	}
	return
}

func memory(count int) {
	residentBefore, pageTablesBefore := footprint()
	start := cpu()
	waiting := park(count)
	create := cpu() - start
	residentNow, pageTablesNow := footprint()

	woken := cpu()
	waiting.wake(count)
	join := cpu() - woken
	resident, pageTables := residentNow-residentBefore, pageTablesNow-pageTablesBefore
	fmt.Printf("{\"resident_bytes\": %.7g, \"all_bytes\": %.7g, \"create_s\": %.7g, \"join_s\": %.7g}\n",
		resident/float64(count), (resident+pageTables)/float64(count), create.Seconds(), join.Seconds())
}

func gather(count int) {
	ran, gathered := 0, 0

	start := cpu()
	for {
		var all sync.WaitGroup
		all.Add(count)
		for i := 0; i < count; i++ {
			go func() {
				ran++
				runtime.Gosched()
				all.Done()
			}()
		}
		all.Wait()
		gathered += count
		if enough(start) {
			break
		}
	}
	elapsed := cpu() - start
	check(ran == gathered, "every task runs once")
	reportNs(elapsed, gathered)
}
