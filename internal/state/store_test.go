package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/tidemark/tidemark/internal/state"
)

func openStore(t testing.TB, path string) (*state.Store, string) {
	t.Helper()
	s, aside, err := state.OpenStore(state.StoreOptions{Path: path, Clock: func() time.Time { return time.Unix(1795341600, 0) }})
	require.NoError(t, err)
	return s, aside
}

func all(t testing.TB, s *state.Store, b state.Bucket) map[string]string {
	t.Helper()
	got := map[string]string{}
	require.NoError(t, s.Each(b, func(k string, v []byte) error { got[k] = string(v); return nil }))
	return got
}

func TestStoreKeepsValuesOverRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	ctx := context.Background()
	s, aside := openStore(t, path)
	require.Empty(t, aside)
	require.NoError(t, s.Put(ctx, state.Incidents, "INC-1", []byte("one")))
	require.NoError(t, s.PutAll(ctx, []state.Write{
		{Bucket: state.Incidents, Key: "INC-2", Value: []byte("two")},
		{Bucket: state.Meta, Key: "position", Value: []byte("1:42")},
		{Bucket: state.Incidents, Key: "INC-1"},
	}))
	require.NoError(t, s.Put(ctx, state.Feedback, "empty", []byte{}))
	require.NoError(t, s.Delete(ctx, state.Feedback, "unknown"))
	require.NoError(t, s.Close())

	s, _ = openStore(t, path)
	defer func() { _ = s.Close() }()
	require.Equal(t, map[string]string{"INC-2": "two"}, all(t, s, state.Incidents))
	require.Equal(t, map[string]string{"position": "1:42"}, all(t, s, state.Meta), "the store's own key is not shown")
	v, ok, err := s.Get(state.Feedback, "empty")
	require.NoError(t, err)
	require.True(t, ok)
	require.Empty(t, v)
	_, ok, err = s.Get(state.Incidents, "INC-1")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestStoreWritersShareTransactions(t *testing.T) {
	s, _ := openStore(t, filepath.Join(t.TempDir(), "state.db"))
	defer func() { _ = s.Close() }()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := s.Put(context.Background(), state.Dedup, fmt.Sprint(i), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, all(t, s, state.Dedup), 200)
}

func TestStoreErrors(t *testing.T) {
	dir := t.TempDir()
	s, _ := openStore(t, filepath.Join(dir, "state.db"))
	defer func() { _ = s.Close() }()
	ctx := context.Background()
	require.EqualError(t, s.Put(ctx, "nonsense", "k", nil), `write "k" to nonsense: there is no bucket "nonsense"`)
	require.EqualError(t, s.Put(ctx, state.Meta, "format", []byte("9")), `write "format" to meta: this key is the store's own`)
	_, _, err := s.Get("nonsense", "k")
	require.EqualError(t, err, `there is no bucket "nonsense"`)
	require.EqualError(t, s.Each("nonsense", nil), `there is no bucket "nonsense"`)
	stop := errors.New("stop")
	require.NoError(t, s.Put(ctx, state.Incidents, "k", []byte("v")))
	require.ErrorIs(t, s.Each(state.Incidents, func(string, []byte) error { return stop }), stop)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, s.Put(gone, state.Incidents, "k", nil), context.Canceled)

	_, _, err = state.OpenStore(state.StoreOptions{Path: filepath.Join(dir, "state.db")})
	require.ErrorIs(t, err, state.ErrInUse, "a store that another process holds is not damaged")
	_, _, err = state.OpenStore(state.StoreOptions{Path: filepath.Join(dir, "missing", "state.db")})
	require.Error(t, err)
	_, _, err = state.OpenStore(state.StoreOptions{})
	require.EqualError(t, err, "store: Path is missing")
}

func TestDamagedStoreIsSetAside(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, path string)
	}{
		{"another kind of file", func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("hello "), 5000), 0o600))
		}},
		{"a few bytes", func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("hi"), 0o600)) }},
		{"half of it", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 9000)) }},
		{"a newer release", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{2}) }))
			require.NoError(t, db.Close())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			s, _ := openStore(t, path)
			require.NoError(t, s.Put(context.Background(), state.Incidents, "INC-1", []byte("one")))
			require.NoError(t, s.Close())
			tc.damage(t, path)
			reg := prometheus.NewRegistry()
			s, aside, err := state.OpenStore(state.StoreOptions{Path: path, Registerer: reg, Clock: func() time.Time { return time.Unix(1795341600, 0) }})
			require.NoError(t, err, "a bad state file never stops the start")
			defer func() { _ = s.Close() }()
			require.Equal(t, path+".bad-1795341600", aside)
			require.FileExists(t, aside)
			require.Empty(t, all(t, s, state.Incidents))
			require.NoError(t, s.Put(context.Background(), state.Incidents, "INC-2", []byte("goes on")))
			require.Equal(t, 1, counted(t, reg, "tidemark_state_store_quarantined_total"))
			problems, err := testutil.GatherAndLint(reg)
			require.NoError(t, err)
			require.Empty(t, problems)
		})
	}
}

func counted(t *testing.T, reg *prometheus.Registry, name string) int {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return 0
}

// filled makes a store with several levels of pages, and gives its values.
func filled(t testing.TB, path string) map[string]string {
	t.Helper()
	s, _ := openStore(t, path)
	want := map[string]string{}
	var writes []state.Write
	for i := range 600 {
		k, v := fmt.Sprintf("INC-%04d", i), fmt.Sprintf("%0200d", i)
		want[k] = v
		writes = append(writes, state.Write{Bucket: state.Incidents, Key: k, Value: []byte(v)})
	}
	require.NoError(t, s.PutAll(context.Background(), writes))
	require.NoError(t, s.Put(context.Background(), state.Incidents, "big", bytes.Repeat([]byte("x"), 20_000)))
	require.NoError(t, s.Delete(context.Background(), state.Incidents, "big")) // leaves free pages
	require.NoError(t, s.Close())
	return want
}

// After any flipped bit the store opens, never shows a wrong value, and takes writes.
func TestStoreSurvivesFlippedBits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	want := filled(t, path)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	lost, asides := 0, 0
	for i := range 300 {
		bit := rng.IntN(len(whole) * 8)
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		p := filepath.Join(dir, fmt.Sprintf("damaged-%d.db", i))
		require.NoError(t, os.WriteFile(p, damaged, 0o600))
		s, aside := openStore(t, p)
		got := all(t, s, state.Incidents)
		for k, v := range got {
			if want[k] != v {
				t.Fatalf("bit %d: value of %q is %q", bit, k, v)
			}
		}
		if aside != "" {
			asides++
			require.NoError(t, os.Remove(aside))
		} else {
			require.GreaterOrEqual(t, len(got), len(want)-1, "bit %d", bit)
		}
		if len(got) < len(want) {
			lost++
		}
		if i%50 == 0 {
			require.NoError(t, s.Put(context.Background(), state.Meta, "k", []byte("goes on")))
		}
		require.NoError(t, s.Close())
		require.NoError(t, os.Remove(p))
	}
	require.Positive(t, lost)
	require.Positive(t, asides)
}

func FuzzOpenStore(f *testing.F) {
	path := filepath.Join(f.TempDir(), "state.db")
	filled(f, path)
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:4096])
	f.Fuzz(func(t *testing.T, b []byte) {
		p := filepath.Join(t.TempDir(), "state.db")
		require.NoError(t, os.WriteFile(p, b, 0o600))
		s, _ := openStore(t, p)
		all(t, s, state.Incidents)
		require.NoError(t, s.Close())
	})
}
