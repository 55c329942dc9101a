package receiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Config is the receiver: section of the configuration.
type Config struct {
	// MaxInflight is how many messages are worked on at once; one more is answered 503 with Retry-After.
	MaxInflight int `yaml:"max_inflight,omitempty"`
	// MaxInflightBytes bounds the bodies held at once, by their declared length.
	MaxInflightBytes ByteSize `yaml:"max_inflight_bytes,omitempty"`
	// MaxDecoded bounds a body after decompression; also at most 32 times what was received.
	MaxDecoded ByteSize `yaml:"max_decoded,omitempty"`
	// CountEvery is the length of the stretches in which pushed log lines and spans are counted: from 1s to 1m, whole
	// seconds. Evidence of them comes the sooner the shorter they are, and can be run again only where Prometheus scrapes
	// Tidemark as often; an incident's lines and spans are compared with those of ninety stretches before it.
	CountEvery model.Duration `yaml:"count_every,omitempty"`

	// Webhook bounds what Alertmanager sends to /api/v1/alerts/webhook.
	Webhook WebhookConfig `yaml:"webhook,omitempty"`
	// Loki bounds the log lines pushed to /loki/api/v1/push.
	Loki LokiConfig `yaml:"loki,omitempty"`
	// Traces bounds the spans pushed to /v1/traces.
	Traces TracesConfig `yaml:"traces,omitempty"`
	// Changes bounds the change events posted to /api/v1/changes.
	Changes ChangesConfig `yaml:"changes,omitempty"`
	// RemoteWrite bounds samples; it applies when --web.enable-remote-write-receiver is given.
	RemoteWrite RemoteWriteConfig `yaml:"remote_write,omitempty"`
}

// WebhookConfig bounds what an Alertmanager may send.
type WebhookConfig struct {
	// MaxBody bounds one message as it is received. Alertmanager sends a group whole: 10 000 alerts are
	// about 6 MiB.
	MaxBody ByteSize `yaml:"max_body,omitempty"`
	// MaxLabels bounds the labels of one alert, and its annotations; an alert with more is left out of
	// its message and counted as refused.
	MaxLabels int `yaml:"max_labels,omitempty"`
	// MaxNameBytes bounds the name of a label or an annotation.
	MaxNameBytes ByteSize `yaml:"max_name_size,omitempty"`
	// MaxValueBytes bounds the value of a label.
	MaxValueBytes ByteSize `yaml:"max_value_size,omitempty"`
	// MaxAnnotationBytes bounds the text of an annotation.
	MaxAnnotationBytes ByteSize `yaml:"max_annotation_size,omitempty"`
	// DedupRetention is how long an alert is known again when a replica or a retry repeats it; at least
	// Alertmanager's repeat_interval and a day more.
	DedupRetention model.Duration `yaml:"dedup_retention,omitempty"`
	// DedupMaxKeys bounds how many alerts are known again; above it the oldest are forgotten early.
	DedupMaxKeys int `yaml:"dedup_max_keys,omitempty"`
	// OwnAlerts are names that are dropped: Tidemark's incidents must not become alerts of incidents.
	OwnAlerts []string `yaml:"own_alerts,omitempty"`
}

// LokiConfig bounds pushed log lines; the defaults are Loki's.
type LokiConfig struct {
	// MaxBody bounds one push as it is received.
	MaxBody ByteSize `yaml:"max_body,omitempty"`
	// MaxLineBytes bounds one log line; a longer one is refused, not cut.
	MaxLineBytes ByteSize `yaml:"max_line_size,omitempty"`
	// MaxLabels bounds the labels of one stream.
	MaxLabels int `yaml:"max_label_names_per_series,omitempty"`
	// MaxNameBytes bounds the name of a label.
	MaxNameBytes ByteSize `yaml:"max_label_name_length,omitempty"`
	// MaxValueBytes bounds the value of a label.
	MaxValueBytes ByteSize `yaml:"max_label_value_length,omitempty"`
	// MaxMetadataBytes bounds the structured metadata of one line.
	MaxMetadataBytes ByteSize `yaml:"max_structured_metadata_size,omitempty"`
	// MaxMetadataEntries bounds the entries of the structured metadata of one line.
	MaxMetadataEntries int `yaml:"max_structured_metadata_entries_count,omitempty"`
	// MaxStreams bounds the streams that are active within an hour; one more is answered 429.
	MaxStreams int `yaml:"max_streams,omitempty"`
	// RateBytes is how much may arrive a second on average; more is answered 429.
	RateBytes ByteSize `yaml:"ingestion_rate,omitempty"`
	// BurstBytes is how much may arrive at once.
	BurstBytes ByteSize `yaml:"ingestion_burst_size,omitempty"`
	// RejectOlder refuses lines whose time is further in the past.
	RejectOlder model.Duration `yaml:"reject_old_samples_max_age,omitempty"`
	// RejectNewer refuses lines whose time is further in the future.
	RejectNewer model.Duration `yaml:"creation_grace_period,omitempty"`
}

// TracesConfig bounds pushed spans.
type TracesConfig struct {
	// MaxBody bounds one message as it is received.
	MaxBody ByteSize `yaml:"max_body,omitempty"`
	// MaxSpans bounds the spans of one message; those above are refused by a partial success.
	MaxSpans int `yaml:"max_spans,omitempty"`
	// MaxAttributes bounds the attributes of one span or resource.
	MaxAttributes int `yaml:"max_attributes,omitempty"`
	// MaxValueBytes bounds an attribute, and the name of a span.
	MaxValueBytes ByteSize `yaml:"max_value_size,omitempty"`
}

// ChangesConfig bounds change events.
type ChangesConfig struct {
	// MaxBody bounds one message as it is received.
	MaxBody ByteSize `yaml:"max_body,omitempty"`
	// MaxEvents bounds the changes of one message.
	MaxEvents int `yaml:"max_events,omitempty"`
	// MaxText bounds the text of one change.
	MaxText ByteSize `yaml:"max_text_size,omitempty"`
	// MaxLabels bounds the labels of one change.
	MaxLabels int `yaml:"max_labels,omitempty"`
	// MaxAge refuses changes whose time is further in the past.
	MaxAge model.Duration `yaml:"max_age,omitempty"`
}

// RemoteWriteConfig bounds the samples that Prometheus may write.
type RemoteWriteConfig struct {
	// MaxBody bounds one message as it is sent.
	MaxBody ByteSize `yaml:"max_body,omitempty"`
	// MaxSeries is how many series may be known at once, watched or not; about 50 bytes each.
	MaxSeries int `yaml:"max_series,omitempty"`
	// MaxLabels bounds the labels of a series.
	MaxLabels int `yaml:"max_label_names_per_series,omitempty"`
	// MaxNameBytes bounds the name of a label.
	MaxNameBytes ByteSize `yaml:"max_label_name_length,omitempty"`
	// MaxValueBytes bounds the value of a label.
	MaxValueBytes ByteSize `yaml:"max_label_value_length,omitempty"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	day := model.Duration(24 * time.Hour)
	return Config{
		MaxInflight: 64, MaxInflightBytes: 256 * MiB, MaxDecoded: 64 * MiB, CountEvery: model.Duration(time.Minute),
		Webhook: WebhookConfig{
			MaxBody: 32 * MiB, MaxLabels: 64, MaxNameBytes: KiB, MaxValueBytes: 16 * KiB, MaxAnnotationBytes: 64 * KiB,
			DedupRetention: model.Duration(28 * time.Hour), DedupMaxKeys: 400_000,
			OwnAlerts: []string{"TidemarkIncident", "TidemarkAlive"},
		},
		Loki: LokiConfig{
			MaxBody: 16 * MiB, MaxLineBytes: 256 * KiB, MaxLabels: 15, MaxNameBytes: 1024, MaxValueBytes: 2048,
			MaxMetadataBytes: 64 * KiB, MaxMetadataEntries: 128, MaxStreams: 5000,
			RateBytes: 4 * MiB, BurstBytes: 6 * MiB, RejectOlder: 7 * day, RejectNewer: model.Duration(10 * time.Minute),
		},
		Traces:  TracesConfig{MaxBody: 16 * MiB, MaxSpans: 100_000, MaxAttributes: 128, MaxValueBytes: 16 * KiB},
		Changes: ChangesConfig{MaxBody: MiB, MaxEvents: 1000, MaxText: 4 * KiB, MaxLabels: 64, MaxAge: 7 * day},
		RemoteWrite: RemoteWriteConfig{
			MaxBody: 16 * MiB, MaxSeries: 2_000_000, MaxLabels: 64, MaxNameBytes: KiB, MaxValueBytes: 4 * KiB,
		},
	}
}

// UnmarshalYAML starts from the defaults, so that a section names only what differs.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says which setting is wrong and what would be right.
func (c *Config) Validate() error {
	var errs []error
	for _, s := range []struct {
		name  string
		value int64
	}{
		{"max_inflight", int64(c.MaxInflight)},
		{"max_inflight_bytes", int64(c.MaxInflightBytes)},
		{"max_decoded", int64(c.MaxDecoded)},
		{"webhook.max_body", int64(c.Webhook.MaxBody)},
		{"webhook.max_labels", int64(c.Webhook.MaxLabels)},
		{"webhook.max_name_size", int64(c.Webhook.MaxNameBytes)},
		{"webhook.max_value_size", int64(c.Webhook.MaxValueBytes)},
		{"webhook.max_annotation_size", int64(c.Webhook.MaxAnnotationBytes)},
		{"webhook.dedup_max_keys", int64(c.Webhook.DedupMaxKeys)},
		{"loki.max_body", int64(c.Loki.MaxBody)},
		{"loki.max_line_size", int64(c.Loki.MaxLineBytes)},
		{"loki.max_label_names_per_series", int64(c.Loki.MaxLabels)},
		{"loki.max_label_name_length", int64(c.Loki.MaxNameBytes)},
		{"loki.max_label_value_length", int64(c.Loki.MaxValueBytes)},
		{"loki.max_structured_metadata_size", int64(c.Loki.MaxMetadataBytes)},
		{"loki.max_structured_metadata_entries_count", int64(c.Loki.MaxMetadataEntries)},
		{"loki.max_streams", int64(c.Loki.MaxStreams)},
		{"loki.ingestion_rate", int64(c.Loki.RateBytes)},
		{"loki.ingestion_burst_size", int64(c.Loki.BurstBytes)},
		{"loki.reject_old_samples_max_age", int64(c.Loki.RejectOlder)},
		{"loki.creation_grace_period", int64(c.Loki.RejectNewer)},
		{"traces.max_body", int64(c.Traces.MaxBody)},
		{"traces.max_spans", int64(c.Traces.MaxSpans)},
		{"traces.max_attributes", int64(c.Traces.MaxAttributes)},
		{"traces.max_value_size", int64(c.Traces.MaxValueBytes)},
		{"changes.max_body", int64(c.Changes.MaxBody)},
		{"changes.max_events", int64(c.Changes.MaxEvents)},
		{"changes.max_text_size", int64(c.Changes.MaxText)},
		{"changes.max_labels", int64(c.Changes.MaxLabels)},
		{"changes.max_age", int64(c.Changes.MaxAge)},
		{"remote_write.max_body", int64(c.RemoteWrite.MaxBody)},
		{"remote_write.max_series", int64(c.RemoteWrite.MaxSeries)},
		{"remote_write.max_label_names_per_series", int64(c.RemoteWrite.MaxLabels)},
		{"remote_write.max_label_name_length", int64(c.RemoteWrite.MaxNameBytes)},
		{"remote_write.max_label_value_length", int64(c.RemoteWrite.MaxValueBytes)},
	} {
		if s.value <= 0 {
			errs = append(errs, fmt.Errorf("receiver: %s must be above zero; leave it out for the default", s.name))
		}
	}
	if d := time.Duration(c.CountEvery); d < time.Second || d > time.Minute || d%time.Second != 0 {
		errs = append(errs, fmt.Errorf("receiver: count_every is %s, must be whole seconds from 1s to 1m", c.CountEvery))
	}
	if d := time.Duration(c.Webhook.DedupRetention); d < time.Hour {
		errs = append(errs, fmt.Errorf("receiver: webhook.dedup_retention is %s, must be at least 1h: "+
			"Alertmanager repeats a message each repeat_interval (default 4h)", c.Webhook.DedupRetention))
	}
	if c.Webhook.MaxValueBytes > 16*MiB || c.Webhook.MaxAnnotationBytes > 16*MiB || c.Loki.MaxValueBytes > 16*MiB || c.RemoteWrite.MaxValueBytes > 16*MiB {
		errs = append(errs, errors.New("receiver: label and annotation values are limited to 16MiB: Prometheus' label encoder cannot hold more"))
	}
	if c.MaxInflightBytes < c.Webhook.MaxBody {
		errs = append(errs, fmt.Errorf("receiver: max_inflight_bytes is %s, must be at least webhook.max_body, %s", c.MaxInflightBytes, c.Webhook.MaxBody))
	}
	return errors.Join(errs...)
}
