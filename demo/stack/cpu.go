package stack

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ, 100 on every architecture of Linux that Go runs on.
const tick = 10 * time.Millisecond

// CPU is the processor time that the process has used: from /proc/PID/stat (proc(5)) while it runs, what it used in all once it
// has ended.
func (p *Process) CPU() (time.Duration, error) {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	if cmd == nil {
		return 0, errors.New(p.Name + " does not run")
	}
	if !p.Running() {
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.Name, err)
	}
	// The name in parentheses may hold blanks; utime and stime are fields 14 and 15.
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("processor time of %s: /proc/%d/stat is of another form", p.Name, cmd.Process.Pid)
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time of %s: %w", p.Name, err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
