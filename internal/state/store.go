package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Bucket names a family of keys in a Store.
type Bucket string

// The buckets of a Store.
const (
	Incidents    Bucket = "incidents"
	RunbookCalls Bucket = "runbook_calls"
	Feedback     Bucket = "feedback"
	Dedup        Bucket = "dedup"
	Meta         Bucket = "meta"
)

func buckets() []Bucket { return []Bucket{Incidents, RunbookCalls, Feedback, Dedup, Meta} }

const (
	storeFormat   = 1        // of the file, in bucket meta
	formatKey     = "format" // its key; not visible through Get and Each
	valueVersion  = 1        // of one value
	valueOverhead = 1 + 4    // version, checksum
)

// ErrCorrupt is returned for a value whose checksum does not match.
var ErrCorrupt = errors.New("stored value is damaged")

// ErrInUse is returned when another process holds the store.
var ErrInUse = errors.New("store is in use by another process")

// StoreOptions are the settings of a Store.
type StoreOptions struct {
	Path       string
	Logger     *slog.Logger          // default: discards
	Registerer prometheus.Registerer // default: none
	Clock      func() time.Time      // default time.Now
}

// Store keeps small values by bucket and key in one bbolt file. Every value carries a version and a
// checksum, because bbolt has none per page. All methods are safe for concurrent use; a Put that
// returned nil is on disk.
type Store struct {
	db          *bbolt.DB
	log         *slog.Logger
	quarantined prometheus.Counter
	putSeconds  prometheus.Histogram
	clock       func() time.Time
}

// Write is one change of a Store: a nil Value deletes the key.
type Write struct {
	Bucket Bucket
	Key    string
	Value  []byte
}

// OpenStore opens or makes the file. A file that is damaged or written by a newer release is renamed to
// PATH.bad-UNIXTIME and an empty one takes its place; aside then names it.
func OpenStore(opts StoreOptions) (s *Store, aside string, err error) {
	if opts.Path == "" {
		return nil, "", errors.New("store: Path is missing")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	f := promauto.With(opts.Registerer)
	s = &Store{
		log: opts.Logger, clock: opts.Clock,
		quarantined: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_state_store_quarantined_total", Help: "Damaged store files and values set aside.",
		}),
		putSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_state_store_put_seconds", Help: "Time until a write to the store was durable.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	s.db, err = openBolt(opts.Path)
	if err == nil {
		return s, "", nil
	}
	if errors.Is(err, ErrInUse) || errors.Is(err, os.ErrPermission) {
		return nil, "", fmt.Errorf("open store %s: %w", opts.Path, err)
	}
	aside = fmt.Sprintf("%s.bad-%d", opts.Path, opts.Clock().Unix())
	if rerr := os.Rename(opts.Path, aside); rerr != nil {
		return nil, "", fmt.Errorf("open store %s: %w (and it could not be set aside: %w)", opts.Path, err, rerr)
	}
	s.quarantined.Inc()
	s.log.Error("Store is damaged: set aside, starting with an empty one", "err", err, "aside", aside)
	if s.db, err = openBolt(opts.Path); err != nil {
		return nil, aside, fmt.Errorf("make store %s: %w", opts.Path, err)
	}
	return s, aside, nil
}

// openBolt checks all pages of the file, opens it and makes the buckets. A panic of bbolt is an error here.
func openBolt(path string) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read store: %v", p)
		}
		if err != nil && db != nil {
			closeBroken(db)
			db = nil
		}
	}()
	if err := checkFile(path); err != nil {
		return nil, err
	}
	db, err = bbolt.Open(path, 0o640, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = time.Millisecond // bbolt's 10 ms are longer than the fsync that they save
	return db, prepare(db)
}

// closeBroken closes a database that may panic again when closed.
func closeBroken(db *bbolt.DB) {
	defer func() { _ = recover() }()
	_ = db.Close()
}

// prepare makes the buckets of a new file and checks the format of an old one. An old one is only read, so
// that a full disk does not keep it from opening.
func prepare(db *bbolt.DB) error {
	fresh := false
	err := db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(Meta))
		if fresh = meta == nil; fresh {
			return nil
		}
		for _, b := range buckets() {
			if tx.Bucket([]byte(b)) == nil {
				fresh = true
			}
		}
		if got := meta.Get([]byte(formatKey)); len(got) != 1 || got[0] != storeFormat {
			return fmt.Errorf("store has format %v, this release knows %d", got, storeFormat)
		}
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(Meta)).Put([]byte(formatKey), []byte{storeFormat})
	})
}

// Put writes one value and returns when it is on disk. Writers that come together share one transaction.
func (s *Store) Put(ctx context.Context, bucket Bucket, key string, value []byte) error {
	return s.PutAll(ctx, []Write{{bucket, key, value}})
}

// Delete removes one key; a key that is not there is no error.
func (s *Store) Delete(ctx context.Context, bucket Bucket, key string) error {
	return s.PutAll(ctx, []Write{{bucket, key, nil}})
}

// PutAll makes several changes at once: after a crash all or none of them stand.
func (s *Store) PutAll(ctx context.Context, writes []Write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := s.clock()
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		for _, w := range writes {
			if err := apply(tx, w); err != nil {
				return fmt.Errorf("write %q to %s: %w", w.Key, w.Bucket, err)
			}
		}
		return nil
	})
	if err == nil {
		s.putSeconds.Observe(s.clock().Sub(start).Seconds())
	}
	return err
}

func apply(tx *bbolt.Tx, w Write) error {
	b := tx.Bucket([]byte(w.Bucket))
	if b == nil {
		return fmt.Errorf("there is no bucket %q", w.Bucket)
	}
	if w.Bucket == Meta && w.Key == formatKey {
		return errors.New("this key is the store's own")
	}
	if w.Value == nil {
		return b.Delete([]byte(w.Key))
	}
	return b.Put([]byte(w.Key), seal(w.Key, w.Value))
}

// Get gives a copy of a value; ok is false when there is none.
func (s *Store) Get(bucket Bucket, key string) (value []byte, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return fmt.Errorf("there is no bucket %q", bucket)
		}
		raw := b.Get([]byte(key))
		if raw == nil || bucket == Meta && key == formatKey {
			return nil
		}
		v, err := unseal(key, raw)
		if err != nil {
			return fmt.Errorf("read %q of %s: %w", key, bucket, err)
		}
		value, ok = append([]byte{}, v...), true
		return nil
	})
	return value, ok, err
}

// Each calls fn for every value of a bucket in the order of the keys. The value belongs to fn only during
// the call. Damaged values are counted, logged and stepped over. fn must not write to the store.
func (s *Store) Each(bucket Bucket, fn func(key string, value []byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return fmt.Errorf("there is no bucket %q", bucket)
		}
		return b.ForEach(func(k, raw []byte) error {
			key := string(k)
			if bucket == Meta && key == formatKey {
				return nil
			}
			v, err := unseal(key, raw)
			if err != nil {
				s.quarantined.Inc()
				s.log.Error("Damaged value of the store stepped over", "bucket", string(bucket), "key", key, "err", err)
				return nil
			}
			return fn(key, v)
		})
	})
}

// Close waits for the transactions that run and closes the file.
func (s *Store) Close() error { return s.db.Close() }

func seal(key string, value []byte) []byte {
	b := make([]byte, valueOverhead, valueOverhead+len(value))
	b[0] = valueVersion
	binary.LittleEndian.PutUint32(b[1:], valueSum(key, value))
	return append(b, value...)
}

func unseal(key string, raw []byte) ([]byte, error) {
	if len(raw) < valueOverhead || raw[0] != valueVersion {
		return nil, ErrCorrupt
	}
	if v := raw[valueOverhead:]; binary.LittleEndian.Uint32(raw[1:]) == valueSum(key, v) {
		return v, nil
	}
	return nil, ErrCorrupt
}

// valueSum covers the key too, so that a value under a damaged key is found out.
func valueSum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, value)
}
