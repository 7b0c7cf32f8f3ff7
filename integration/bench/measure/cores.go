// Package measure runs the servers that are measured, each alone on a core, and
// reads what they use.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The cores: the server has one for itself, so that what it does beside its
// decisions counts; whoever asks has another one.
const (
	serverCore = 0
	loadCore   = 1
)

// PinLoad puts this process on the core of the load. It fails where there is
// no second core.
func PinLoad() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := pin(id, loadCore); err != nil {
			return fmt.Errorf("a benchmark needs two cores: %w", err)
		}
	}
	return nil
}

func pin(thread, core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(thread, &set)
}

// onServerCore runs start, which starts a process: the process has the server's
// core and takes its own measures from it.
func onServerCore(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := pin(0, serverCore); err != nil {
		return err
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}

// CPU returns the processor time, user and system, that a process has used.
func CPU(pid int) (time.Duration, error) {
	// The clock of a process: clock_getcpuclockid(3).
	clock := int32(^pid<<3 | 2)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Quiet waits until a process does next to nothing, so that what it still owed
// is counted, and returns the processor time it has used.
func Quiet(pid int) (time.Duration, error) {
	const every, little = 20 * time.Millisecond, 200 * time.Microsecond
	before, err := CPU(pid)
	for range 50 {
		if err != nil {
			return 0, err
		}
		time.Sleep(every)
		now, failed := CPU(pid)
		if failed == nil && now-before < little {
			return now, nil
		}
		before, err = now, failed
	}
	return before, nil
}
