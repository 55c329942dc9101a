package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/receiver"
)

// shardConfig makes the configuration that all shards share that of one: only the first one talks to
// Alertmanager, and each has its share of the fleet's budget.
func shardConfig(cfg *config.Config, shard admit.Shard) {
	if shard.Count <= 1 {
		return
	}
	cfg.Baseline.Budget.TotalPerWeek /= float64(shard.Count)
	if !shard.First() {
		cfg.Alertmanagers = nil
	}
}

// misdirected answers what belongs to the first shard. It is 503, not 4xx: behind one address for all shards the
// sender's next try may reach the right one, and Alertmanager gives up on a 4xx.
func misdirected(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "this is not the first shard: alerts, logs, traces and changes go to the Tidemark with --shard.index=0", http.StatusServiceUnavailable)
}

// receive adds the receiver's endpoints.
func (a *App) receive(mux *http.ServeMux) {
	for path, h := range a.receiver.Handlers() {
		if path != receiver.WritePath && !a.opts.Shard.First() {
			h = http.HandlerFunc(misdirected)
		}
		mux.Handle("POST "+path, h)
	}
}

// Anomalies of other shards.
const (
	peerInterval = 10 * time.Second
	peerTimeout  = 5 * time.Second
	// tellEnded is how long an anomaly is still told after its end.
	tellEnded = 10 * time.Minute
	// maxPeerBytes bounds the answer of a peer.
	maxPeerBytes = 16 << 20
)

// anomalyBoard holds what this shard finds, for the first shard to read.
type anomalyBoard struct {
	mu  sync.Mutex
	all map[string]correlate.Anomaly
}

// put notes an anomaly that began, goes on or ended.
func (b *anomalyBoard) put(a correlate.Anomaly) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]correlate.Anomaly{}
	}
	b.all[boardKey(&a)] = a
}

func boardKey(a *correlate.Anomaly) string { return a.Watch + a.Labels.String() }

// list gives the anomalies that last or ended lately.
func (b *anomalyBoard) list(now time.Time) []correlate.Anomaly {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]correlate.Anomaly, 0, len(b.all))
	for key, a := range b.all {
		if !a.Active && now.Sub(a.Until) > tellEnded {
			delete(b.all, key)
			continue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(x, y correlate.Anomaly) int { return strings.Compare(boardKey(&x), boardKey(&y)) })
	return out
}

// serveAnomalies answers GET /api/v1/anomalies.
func (s *session) serveAnomalies(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": s.incidents.board.list(s.app.now())})
}

// readPeers hands the anomalies of the other shards to the correlation, as if they were found here.
func (s *session) readPeers(ctx context.Context) error {
	var errs []error
	for _, peer := range s.app.opts.ShardPeers {
		found, err := readPeer(ctx, peer)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the anomalies of shard %s: %w", peer, err))
			continue
		}
		for _, a := range found {
			s.incidents.told(s.app.now(), a)
		}
	}
	return errors.Join(errs...)
}

func readPeer(ctx context.Context, peer string) ([]correlate.Anomaly, error) {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(peer, "/")+"/api/v1/anomalies", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	var body struct{ Data []correlate.Anomaly }
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxPeerBytes)).Decode(&body); err != nil {
		return nil, err
	}
	for i := range body.Data {
		if body.Data[i].Labels == nil {
			body.Data[i].Labels = model.LabelSet{}
		}
	}
	return body.Data, nil
}

// told takes an anomaly of another shard, once for each of its samples.
func (i *incidents) told(now time.Time, a correlate.Anomaly) {
	i.mu.Lock()
	if i.peers == nil {
		i.peers = map[string]time.Time{}
	}
	key := boardKey(&a)
	at := a.At
	if !a.Active {
		at = a.Until
	}
	fresh := at.After(i.peers[key])
	if fresh {
		i.peers[key] = at
	}
	for k, t := range i.peers {
		if now.Sub(t) > 2*tellEnded {
			delete(i.peers, k)
		}
	}
	i.mu.Unlock()
	if fresh {
		i.engine.Anomaly(now, a)
		i.nudge()
	}
}
