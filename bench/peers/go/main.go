// Go: goroutines, the best known stackful tasks. One processor, as all others here use one.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func fail(what any) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

// A figure is worth nothing when the work behind it was not done.
func check(holds bool, what string) {
	if !holds {
		fail("wrong: " + what)
	}
}

// Loops run for a time and not for a count, so that fast and slow peers are measured equally long.
func enough(start time.Time) bool {
	return time.Since(start) > 300*time.Millisecond
}

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// How long the k-th of count sleepers sleeps, as nap_ns in measure.h.
func nap(k, count int) time.Duration {
	return time.Duration(k*7368787%count) * time.Second / time.Duration(count)
}

// Resident bytes, and bytes of page tables.
func memory() (resident, pageTables float64) {
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
	start, before := time.Now(), yields
	for batch := 1 + 10000/count; !enough(start); {
		for i := 0; i < batch; i++ {
			runtime.Gosched()
			yields++
		}
	}
	elapsed := time.Since(start)
	yields -= before
	running.Store(false)
	all.Wait()
	fmt.Printf("{\"ns\": %.7g}\n", float64(elapsed.Nanoseconds())/float64(yields))
}

func spawn(int) {
	const batch = 10000
	var one sync.WaitGroup
	ran, spawned := 0, 0

	start := time.Now()
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
	elapsed := time.Since(start)
	check(ran == spawned, "every task runs once")
	fmt.Printf("{\"ns\": %.7g}\n", float64(elapsed.Nanoseconds())/float64(spawned))
}

func spawnManyNs(count int) float64 {
	var all sync.WaitGroup
	ran := 0

	start := time.Now()
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			ran++
			all.Done()
		}()
	}
	all.Wait()
	elapsed := time.Since(start)
	check(ran == count, "every task runs once")
	return float64(elapsed.Nanoseconds()) / float64(count)
}

func spawnMany(count int) {
	first := spawnManyNs(count)
	again := spawnManyNs(count)
	fmt.Printf("{\"first_ns\": %.7g, \"again_ns\": %.7g}\n", first, again)
}

func sleep(count int) {
	var all sync.WaitGroup
	ran, early := 0, 0

	start, cpuStart := time.Now(), cpu()
	all.Add(count)
	for k := 0; k < count; k++ {
		go func(length time.Duration) {
			begin := time.Now()
			time.Sleep(length)
			if time.Since(begin) < length {
				early++
			}
			ran++
			all.Done()
		}(nap(k, count))
	}
	all.Wait()
	late := time.Since(start) - time.Duration(count-1)*time.Second/time.Duration(count)
	check(ran == count, "every task runs once")
	fmt.Printf("{\"cpu_ms\": %.7g, \"late_ms\": %.7g, \"early\": %d}\n",
		float64((cpu()-cpuStart).Microseconds())/1e3, float64(late.Microseconds())/1e3, early)
}

func parked(count int) {
	var all sync.WaitGroup
	event := make(chan struct{})
	ran := 0

	resident, pageTables := memory()
	start := time.Now()
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			<-event
			ran++
			all.Done()
		}()
	}
	runtime.Gosched()
	create := time.Since(start)
	residentNow, pageTablesNow := memory()

	set := time.Now()
	close(event)
	all.Wait()
	join := time.Since(set)
	check(ran == count, "every task runs once")
	fmt.Printf("{\"resident_bytes\": %.7g, \"page_table_bytes\": %.7g, \"create_s\": %.7g, \"join_s\": %.7g}\n",
		(residentNow-resident)/float64(count), (pageTablesNow-pageTables)/float64(count),
		create.Seconds(), join.Seconds())
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 65536)
	for {
		size, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:size]); err != nil {
			return
		}
	}
}

func echoServer(int) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		os.Stdin.Read(make([]byte, 1)) // nobody writes there: this returns when it is closed
		stop <- syscall.SIGTERM
	}()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				fail(err)
			}
			go echo(connection)
		}
	}()
	fmt.Printf("{\"port\": %d}\n", listener.Addr().(*net.TCPAddr).Port)

	cpuStart := cpu()
	<-stop
	fmt.Printf("{\"cpu_us\": %d}\n", (cpu() - cpuStart).Microseconds())
}

func main() {
	workloads := map[string]struct {
		run   func(count int)
		count int
	}{
		"yield":       {yield, 2},
		"spawn":       {spawn, 1},
		"spawn_many":  {spawnMany, 100000},
		"sleep":       {sleep, 100000},
		"memory":      {parked, 100000},
		"echo_server": {echoServer, 1},
	}
	runtime.GOMAXPROCS(1)
	arguments := append(os.Args, "")
	workload, known := workloads[arguments[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "%s has no workload %q\n", arguments[0], arguments[1])
		os.Exit(2)
	}
	if len(os.Args) > 2 {
		workload.count, _ = strconv.Atoi(os.Args[2])
		check(workload.count >= 1 && workload.count <= 1000000, "COUNT is 1 to 1,000,000")
	}
	workload.run(workload.count)
}
