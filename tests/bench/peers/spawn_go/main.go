// Spawns empty goroutines by the batch and waits for all of a batch, on one thread; prints one line of JSON, as
// bench_executor does.
package main

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"time"
)

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func spawnBatch(group *sync.WaitGroup, batch int) {
	group.Add(batch)
	for i := 0; i < batch; i++ {
		go group.Done()
	}
	group.Wait()
}

func main() {
	batch := flag.Int("batch", 1000, "goroutines that are started before they are waited for")
	window := flag.Float64("seconds", 1, "how long to measure")
	warmup := flag.Float64("warmup", 0.2, "seconds before it measures")
	version := flag.Bool("version", false, "print what built it")
	flag.Parse()
	if *version {
		fmt.Println(runtime.Version())
		return
	}
	runtime.GOMAXPROCS(1)

	var group sync.WaitGroup
	total := 0
	for begin := time.Now(); time.Since(begin) < seconds(*warmup); total += *batch {
		spawnBatch(&group, *batch)
	}
	measured := 0
	begin := time.Now()
	for time.Since(begin) < seconds(*window) {
		spawnBatch(&group, *batch)
		measured += *batch
	}
	took := time.Since(begin).Seconds()
	fmt.Printf("{\"operations_total\": %d, \"operations\": %d, \"seconds\": %.4f, \"rate\": %.1f}\n",
		total+measured, measured, took, float64(measured)/took)
}
