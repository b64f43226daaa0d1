// Go: goroutines, the best known stackful tasks. One processor, as all others here use one.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
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

var length = 300 * time.Millisecond

// Processor time.
func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Loops run for a time and not for a count, so that fast and slow peers are measured equally long:
// BENCH_SECONDS of the environment.
func enough(start time.Duration) bool {
	return cpu()-start > length
}

func reportNs(elapsed time.Duration, count int) {
	fmt.Printf("{\"ns\": %.7g}\n", float64(elapsed.Nanoseconds())/float64(count))
}

func main() {
	workloads := map[string]struct {
		run   func(count int)
		count int
	}{
		"yield":        {yield, 2},
		"spawn":        {spawn, 1},
		"spawn_many":   {spawnMany, 100000},
		"parked":       {parked, 100000},
		"gather":       {gather, 1000},
		"memory":       {memory, 100000},
		"queue":        {queue, 1},
		"lock":         {lock, 1},
		"sleep":        {sleep, 100000},
		"timeout":      {timeout, 100000},
		"fair_sleep":   {fairSleep, 1},
		"fair_socket":  {fairSocket, 1},
		"echo_server":  {echoServer, 1},
		"echo_streams": {echoServer, 1},
	}
	runtime.GOMAXPROCS(1)
	if seconds, err := strconv.ParseFloat(os.Getenv("BENCH_SECONDS"), 64); err == nil {
		length = time.Duration(seconds * float64(time.Second))
	}
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
