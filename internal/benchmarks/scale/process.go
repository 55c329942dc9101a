package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running sidecar.
type process struct {
	cmd *exec.Cmd
	url string
	log *os.File
}

func start(ctx context.Context, binary, dir, addr string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "tidemark.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "--config.file="+filepath.Join(dir, "tidemark.yml"), "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sidecar: %w", err)
	}
	return &process{cmd: cmd, url: "http://" + addr, log: log}, nil
}

// stop ends the sidecar, which saves its state.
func (p *process) stop() error {
	defer p.log.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// metric is one sample of the page of metrics; false while there is none.
func (p *process) metric(ctx context.Context, name string) (float64, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		return 0, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			x, err := strconv.ParseFloat(rest, 64)
			return x, err == nil
		}
	}
	return 0, false
}

// get is how long a page takes.
func (p *process) get(ctx context.Context, path string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s is answered %s", path, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return time.Since(begin), err
}

// await polls until a metric is at least x.
func (p *process) await(ctx context.Context, name string, x float64) error {
	for {
		began := time.Now()
		if got, ok := p.metric(ctx, name); ok && got >= x {
			return nil
		}
		pause := max(500*time.Millisecond, 20*time.Since(began)) // Asking must not be what is measured.
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to reach %g: %w", name, x, context.Cause(ctx))
		case <-time.After(min(pause, 15*time.Second)):
		}
	}
}

// cpu is the processor time used so far, in seconds.
func (p *process) cpu() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	user, err := strconv.ParseFloat(f[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, err // In ticks of a hundredth of a second.
}

// status is a line of /proc/PID/status, in bytes: VmRSS now, VmHWM the most so far.
func (p *process) status(line string) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("no line %s in the status of the process", line)
}
