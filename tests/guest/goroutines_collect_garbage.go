// SPDX-License-Identifier: MIT

// Test that a Go program with goroutines, channels, garbage collection, timers, signals and panics runs right.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type tree struct{ left, right *tree }

func build(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{build(depth - 1), build(depth - 1)}
}

func (t *tree) count() int {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func sieve(limit int) int {
	source := make(chan int)
	go func(out chan int) {
		for i := 2; i < limit; i++ {
			out <- i
		}
		close(out)
	}(source)
	count := 0
	for {
		prime, ok := <-source
		if !ok {
			return count
		}
		count++
		next := make(chan int)
		go func(in chan int) {
			for i := range in {
				if i%prime != 0 {
					next <- i
				}
			}
			close(next)
		}(source)
		source = next
	}
}

func recovered(depth int) (text string) {
	defer func() {
		if depth == 3 {
			text = fmt.Sprint(recover())
		}
	}()
	var nothing *tree
	if depth > 0 {
		return recovered(depth - 1)
	}
	return fmt.Sprint(nothing.left)
}

func preempted() int {
	done := make(chan int)
	go func() {
		n := 0
		for i := 0; i < 20000000; i++ { // no calls: only an asynchronous signal can preempt it
			n += i & 3
		}
		done <- n
	}()
	runtime.GC()
	return <-done
}

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			n := build(8).count()
			lock.Lock()
			total += n + i
			lock.Unlock()
		}(i)
	}
	group.Wait()
	runtime.GC()
	fmt.Println("trees", total)
	fmt.Println("primes", sieve(300))
	fmt.Println("recovered:", recovered(10))
	fmt.Println("preempted", preempted())
	notices := make(chan os.Signal, 1)
	signal.Notify(notices, syscall.SIGUSR1)
	for i := 0; i < 5; i++ {
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		fmt.Println("signal", <-notices)
	}
	select {
	case <-time.After(3 * time.Millisecond):
		fmt.Println("timer")
	case <-notices:
		fmt.Println("signal out of turn")
	}
}
