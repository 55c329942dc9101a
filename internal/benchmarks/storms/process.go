package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/topology"
)

// The flood through real processes: so many messages, spread over a minute.
const (
	floodBatches = 240
	floodEvery   = 250 * time.Millisecond
)

// processes sends 50 000 alerts within a minute to a real Alertmanager that notifies nobody, and to a real Tidemark by its
// webhook, and compares the processor time that each took of the operating system, less what it takes idle.
//
// With a file for a profile, that of Tidemark's processor time during the flood is written to it.
func processes(ctx context.Context, alertmanager, profile string) ([]result, error) {
	dir, err := os.MkdirTemp("", "storms-processes")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	g, alerts := bigStorm(500, 100)
	am, err := floodAlertmanager(ctx, alertmanager, dir, alerts)
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	tide, err := floodTidemark(ctx, dir, g, alerts, profile)
	if err != nil {
		return nil, fmt.Errorf("tidemark: %w", err)
	}
	if tide.members != len(alerts) {
		return nil, fmt.Errorf("tidemark: %d alerts were acknowledged, %d are in an incident", len(alerts), tide.members)
	}
	n := float64(len(alerts))
	us := func(d time.Duration) float64 { return float64(d.Microseconds()) / n }
	return []result{
		{Name: "real processes, 50 000 alerts in a minute: Alertmanager's processor time per alert", Value: us(am), Unit: "us", Command: command, LessIsBetter: true},
		{Name: "real processes, 50 000 alerts in a minute: Tidemark's processor time per alert", Value: us(tide.cpu), Unit: "us", Command: command, LessIsBetter: true},
		{Name: "real processes, 50 000 alerts in a minute: Tidemark's processor time over Alertmanager's", Value: tide.cpu.Seconds() / am.Seconds(), Unit: "ratio", Must: ptr(1. / 3), Moonshot: ptr(1. / 20), Command: command, LessIsBetter: true},
		{Name: "real processes, 50 000 alerts in a minute: first incident posted after", Value: tide.first.Seconds(), Unit: "s", Must: ptr(15), Command: command, LessIsBetter: true},
		{Name: "real processes, 50 000 alerts in a minute: acknowledged alerts that are in no incident", Value: n - float64(tide.members), Unit: "count", Must: ptr(0), Command: command, LessIsBetter: true},
		{Name: "real processes, 50 000 alerts in a minute: Tidemark's largest resident memory", Value: tide.rss / (1 << 20), Unit: "MiB", Must: ptr(768), Command: command, LessIsBetter: true},
	}, nil
}

// server is a process under measurement.
type server struct {
	cmd *exec.Cmd
	url string
	log bytes.Buffer
}

func startServer(ctx context.Context, health, path string, args func(addr string) []string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &server{url: "http://" + addr}
	s.cmd = exec.CommandContext(ctx, path, args(addr)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if resp, err := http.Get(s.url + health); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return s, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("it does not answer: "+s.log.String()), s.stop())
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(os.Interrupt)
	err := s.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil
	}
	return err
}

// ticks is the unit of processor time in /proc on every Linux that Go runs on (USER_HZ is 100).
const ticks = 10 * time.Millisecond

// cpu is the processor time of the process so far, of itself and of the kernel for it (proc_pid_stat(5), fields 14 and 15).
func (s *server) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(data, []byte(") "))
	f := strings.Fields(string(rest))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", s.cmd.Process.Pid, len(f))
	}
	user, err := strconv.Atoi(f[11])
	kernel, err2 := strconv.Atoi(f[12])
	return time.Duration(user+kernel) * ticks, errors.Join(err, err2)
}

// peak is the largest resident memory so far, in bytes (VmHWM of proc_pid_status(5)).
func (s *server) peak() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb * 1024, err
		}
	}
	return 0, errors.New("no VmHWM in /proc")
}

// profile writes a profile of the processor time of the flood and of what follows it.
func (s *server) profile(path string) error {
	resp, err := http.Get(s.url + "/debug/pprof/profile?seconds=65")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// took is the processor time of doing something and of the settling after it, less that of as long an idle time before.
func (s *server) took(do func() error, settle time.Duration) (time.Duration, error) {
	const idle = 10 * time.Second
	a, err := s.cpu()
	if err != nil {
		return 0, err
	}
	time.Sleep(idle)
	b, err := s.cpu()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	time.Sleep(settle)
	c, err := s.cpu()
	return c - b - time.Duration(float64(b-a)*time.Since(begin).Seconds()/idle.Seconds()), err
}

// flood posts the alerts in batches that are spread over a minute; each must be acknowledged.
func flood(alerts []*model.Alert, url string, encode func([]*model.Alert) any) error {
	per := (len(alerts) + floodBatches - 1) / floodBatches
	tick := time.NewTicker(floodEvery)
	defer tick.Stop()
	for i := 0; i < len(alerts); i += per {
		now := time.Now().UTC()
		batch := alerts[i:min(i+per, len(alerts))]
		for _, a := range batch {
			a.StartsAt, a.EndsAt = now, time.Time{}
		}
		body, err := json.Marshal(encode(batch))
		if err != nil {
			return err
		}
		resp, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		_ = resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("batch %d: %s: %s", i/per, resp.Status, said)
		}
		<-tick.C
	}
	return nil
}

func floodAlertmanager(ctx context.Context, path, dir string, alerts []*model.Alert) (time.Duration, error) {
	config := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: nobody, group_by: [alertname], group_wait: 1s, group_interval: 5s}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		return 0, err
	}
	s, err := startServer(ctx, "/-/ready", path, func(addr string) []string {
		return []string{"--config.file=" + config, "--storage.path=" + filepath.Join(dir, "alertmanager"), "--web.listen-address=" + addr, "--cluster.listen-address=", "--log.level=warn"}
	})
	if err != nil {
		return 0, err
	}
	cpu, err := s.took(func() error {
		return flood(alerts, s.url+"/api/v2/alerts", func(as []*model.Alert) any {
			out := make([]map[string]any, len(as))
			for i, a := range as {
				out[i] = map[string]any{"labels": a.Labels, "annotations": a.Annotations, "startsAt": a.StartsAt, "endsAt": a.StartsAt.Add(4 * time.Minute), "generatorURL": "http://prometheus.example/graph"}
			}
			return out
		})
	}, 10*time.Second)
	return cpu, errors.Join(err, s.stop())
}

type tideFlood struct {
	cpu, first time.Duration
	members    int
	rss        float64
}

func floodTidemark(ctx context.Context, dir string, g *topology.Graph, alerts []*model.Alert, profile string) (out tideFlood, err error) {
	binary := filepath.Join(dir, "tidemark")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/tidemark")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return out, fmt.Errorf("build: %w", err)
	}
	around := newSurroundings(g)
	defer around.Close()
	config := filepath.Join(dir, "tidemark.yml")
	text := fmt.Sprintf("prometheus: {url: %q}\nalertmanagers: [{url: %q}]\ndiscover: {rules: false, presets: []}\n", around.URL, around.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return out, err
	}
	s, err := startServer(ctx, "/-/ready", binary, func(addr string) []string {
		return []string{"--config.file=" + config, "--storage.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr, "--log.level=warn"}
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	begin := time.Time{}
	profiled := make(chan error, 1)
	out.cpu, err = s.took(func() error {
		begin = time.Now()
		if profile != "" {
			go func() { profiled <- s.profile(profile) }()
		} else {
			profiled <- nil
		}
		return flood(alerts, s.url+"/api/v1/alerts/webhook", func(as []*model.Alert) any {
			list := make([]map[string]any, len(as))
			for i, a := range as {
				list[i] = map[string]any{
					"status": "firing", "labels": a.Labels, "annotations": a.Annotations, "startsAt": a.StartsAt, "endsAt": "0001-01-01T00:00:00Z",
					"generatorURL": "http://prometheus.example/graph", "fingerprint": a.Labels.Fingerprint().String(),
				}
			}
			return map[string]any{"version": "4", "groupKey": "{}:{alertname}", "status": "firing", "receiver": "tidemark", "groupLabels": map[string]string{}, "commonLabels": map[string]string{}, "commonAnnotations": map[string]string{}, "externalURL": "http://am.example", "alerts": list}
		})
	}, 10*time.Second)
	if err != nil {
		return out, err
	}
	if err := <-profiled; err != nil {
		return out, err
	}
	if first := around.first(); !first.IsZero() {
		out.first = first.Sub(begin)
	} else {
		return out, errors.New("no incident was posted: " + s.log.String())
	}
	if out.rss, err = s.peak(); err != nil {
		return out, err
	}
	var all struct {
		Data []struct {
			Alerts     []struct{} `json:"alerts"`
			MergedInto string     `json:"merged_into"`
		} `json:"data"`
	}
	resp, err := http.Get(s.url + "/api/v1/incidents?limit=100000")
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return out, err
	}
	for _, i := range all.Data {
		if i.MergedInto == "" {
			out.members += len(i.Alerts)
		}
	}
	return out, nil
}

// surroundings is a Prometheus that knows the storm's graph and an Alertmanager that takes what is posted.
type surroundings struct {
	*httptest.Server
	posted chan time.Time
}

func newSurroundings(g *topology.Graph) *surroundings {
	s := &surroundings{posted: make(chan time.Time, 1)}
	var edges []string
	for _, e := range g.Edges(time.Time{}) {
		if e.Kind == topology.Call {
			edges = append(edges, fmt.Sprintf(`{"metric":{"client":%q,"server":%q},"value":[0,"5"]}`, e.From.Name, e.To.Name))
		}
	}
	calls := map[string]bool{}
	for _, q := range (topology.ServiceGraph{}).Queries() {
		calls[q.Expr] = true
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/query":
			result := ""
			if calls[r.FormValue("query")] {
				result = strings.Join(edges, ",")
			}
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`+result+`]}}`)
		case "/api/v1/rules":
			_, _ = io.WriteString(w, `{"status":"success","data":{"groups":[]}}`)
		case "/api/v1/label/__name__/values":
			_, _ = io.WriteString(w, `{"status":"success","data":[]}`)
		case "/api/v1/read":
			w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
		case "/api/v2/alerts":
			if r.Method == http.MethodPost {
				body, _ := io.ReadAll(r.Body)
				if bytes.Contains(body, []byte("TidemarkIncident")) {
					select {
					case s.posted <- time.Now():
					default:
					}
				}
				return
			}
			_, _ = io.WriteString(w, "[]")
		default:
			http.NotFound(w, r)
		}
	}))
	return s
}

// first is when the first incident was posted; zero: none was.
func (s *surroundings) first() time.Time {
	select {
	case t := <-s.posted:
		return t
	default:
		return time.Time{}
	}
}
