package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Paths of the endpoints.
const (
	WebhookPath = "/api/v1/alerts/webhook"
	LokiPath    = "/loki/api/v1/push"
	TracesPath  = "/v1/traces"
	ChangesPath = "/api/v1/changes"
)

// Kinds of the records that go to the Log. They are a format on disk: numbers are never used again.
const (
	KindWebhook byte = 1 // JSON of the webhook with the new alerts only
	KindLoki    byte = 2 // logproto.PushRequest
	KindTraces  byte = 3 // opentelemetry TracesData
	KindChanges byte = 4 // JSON array of Change
)

// Log makes a record durable before it returns nil. It is called by many goroutines at once and must not
// keep the payload.
type Log interface {
	Append(ctx context.Context, kind byte, payload []byte) error
}

// NoLog keeps nothing: for tests, and for those who prefer speed to safety.
type NoLog struct{}

// Append does nothing.
func (NoLog) Append(context.Context, byte, []byte) error { return nil }

// Sinks take what came in, after it is durable. They are called by many goroutines at once, should
// return fast, and own what they are given. A nil sink drops its kind.
type Sinks struct {
	Alerts  func(context.Context, []*model.Alert)
	Lines   func(context.Context, labels.Labels, []push.Entry)
	Spans   func(context.Context, []*tracepb.ResourceSpans)
	Changes func(context.Context, []Change)
	// Reconcile is called when a webhook said that alerts are missing from it, with the reason in words.
	Reconcile func(ctx context.Context, reason string)
	// Samples is what takes the samples of remote write at the moment, nil for a moment of reloading. When
	// the function itself is nil, the endpoint is off.
	Samples func() SampleSink
}

// Options are the settings of a Receiver.
type Options struct {
	Config     Config
	Log        Log
	Sinks      Sinks
	Logger     *slog.Logger          // default: discards
	Registerer prometheus.Registerer // default: none
	Clock      func() time.Time      // default time.Now
}

// Receiver holds the endpoints. All methods are safe for concurrent use.
type Receiver struct {
	cfg     atomic.Pointer[Config]
	store   Log
	sinks   Sinks
	log     *slog.Logger
	m       *metrics
	clock   func() time.Time
	gate    gate
	dedup   *dedup
	rate    bucket
	streams recent
	bodies  sync.Pool // of *[]byte
	write   *remoteWrite

	// barrier is held for reading from before a record is durable until its sink has returned.
	barrier sync.RWMutex
}

// New makes a Receiver.
func New(opts Options) (*Receiver, error) {
	if opts.Log == nil {
		return nil, errors.New("receiver: Log is missing; NoLog{} keeps nothing")
	}
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	r := &Receiver{
		store: opts.Log, sinks: opts.Sinks, log: opts.Logger, clock: opts.Clock,
		m: newMetrics(opts.Registerer), dedup: newDedup(),
		bodies: sync.Pool{New: func() any { return new([]byte) }},
	}
	r.cfg.Store(&opts.Config)
	r.write = newRemoteWrite(r, opts.Sinks.Samples)
	r.m.series(opts.Registerer, r.write.index.len)
	return r, nil
}

// ApplyConfig changes the limits; messages that are being worked on keep the old ones.
func (r *Receiver) ApplyConfig(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	r.cfg.Store(&c)
	return nil
}

// Handlers gives the endpoints by path.
func (r *Receiver) Handlers() map[string]http.Handler {
	write := http.Handler(http.HandlerFunc(disabledWrite))
	if r.write.sink != nil {
		write = r.write.handler()
	}
	return map[string]http.Handler{
		WritePath: write,
		WebhookPath: r.handler(endpoint{
			name: "webhook", kind: KindWebhook, decode: r.decodeWebhook,
			types:   []string{"application/json"},
			maxBody: func(c *Config) ByteSize { return c.Webhook.MaxBody },
		}),
		LokiPath: r.handler(endpoint{
			name: "loki", kind: KindLoki, decode: r.decodeLoki,
			types:   []string{"application/x-protobuf", "application/json"},
			maxBody: func(c *Config) ByteSize { return c.Loki.MaxBody },
		}),
		TracesPath: r.handler(endpoint{
			name: "traces", kind: KindTraces, decode: r.decodeTraces, fail: failTraces,
			types:   []string{"application/x-protobuf", "application/json"},
			maxBody: func(c *Config) ByteSize { return c.Traces.MaxBody },
		}),
		ChangesPath: r.handler(endpoint{
			name: "changes", kind: KindChanges, decode: r.decodeChanges,
			types:   []string{"application/json"},
			maxBody: func(c *Config) ByteSize { return c.Changes.MaxBody },
		}),
	}
}

// Decode feeds a record of the Log to its sink, as after a restart. Limits of rate and age don't apply:
// the message was accepted once.
func (r *Receiver) Decode(ctx context.Context, kind byte, payload []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("record of kind %d made its decoder panic: %v", kind, p)
		}
	}()
	var k kept
	switch kind {
	case KindWebhook:
		k, err = r.replayWebhook(payload)
	case KindLoki:
		k, err = r.replayLoki(payload)
	case KindTraces:
		k, err = r.replayTraces(payload)
	case KindChanges:
		k, err = r.replayChanges(payload)
	default:
		return fmt.Errorf("record has kind %d, which this release does not know", kind)
	}
	if err != nil {
		return fmt.Errorf("decode record of kind %d: %w", kind, err)
	}
	if k.deliver != nil && !r.deliver(ctx, "replay", k) {
		return fmt.Errorf("record of kind %d made its sink panic", kind)
	}
	return nil
}

// Barrier runs fn while no message is between its durable append and the return of its sink: what fn sees
// of the log's end and of the sinks' state belongs together. New messages wait meanwhile.
func (r *Receiver) Barrier(fn func() error) error {
	r.barrier.Lock()
	defer r.barrier.Unlock()
	return fn()
}

// Snapshot gives the keys that recognise repeats, to be stored with a checkpoint (inside Barrier).
func (r *Receiver) Snapshot() []byte { return r.dedup.snapshot() }

// Restore takes back what Snapshot gave. An empty slice is no error.
func (r *Receiver) Restore(b []byte) error { return r.dedup.restore(b) }
