package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/state"
)

// Keys of the store's bucket meta.
const (
	keyPosition  = "log_position"
	keyIncidents = "incidents"
	keyDedup     = "dedup"
	keyPosts     = "posts"
)

// checkpoint stores what the log's records led to, and lets the log forget them. The barrier makes
// sure that no message lies between the two.
func (a *App) checkpoint(ctx context.Context, s *session) error {
	var writes []state.Write
	var end state.Pos
	err := a.receiver.Barrier(func() error {
		snapshot, err := s.incidents.engine.Snapshot()
		if err != nil {
			return err
		}
		posts, err := json.Marshal(s.notifier.State())
		if err != nil {
			return err
		}
		end = a.log.End()
		writes = []state.Write{
			{Bucket: state.Meta, Key: keyIncidents, Value: snapshot},
			{Bucket: state.Meta, Key: keyDedup, Value: a.receiver.Snapshot()},
			{Bucket: state.Meta, Key: keyPosts, Value: posts},
			{Bucket: state.Meta, Key: keyPosition, Value: []byte(end.String())},
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take a checkpoint: %w", err)
	}
	if err := a.store.PutAll(ctx, writes); err != nil {
		return fmt.Errorf("store a checkpoint: %w", err)
	}
	return a.log.TruncateBefore(end)
}

// loadIncidents takes back the last checkpoint. What can't be read is reported and left out: a
// damaged checkpoint must not keep Tidemark from starting.
func (s *session) loadIncidents() error {
	a := s.app
	for _, part := range []struct {
		key  string
		load func([]byte) error
	}{
		{keyIncidents, s.incidents.engine.Restore},
		{keyDedup, a.receiver.Restore},
		{keyPosts, func(b []byte) error {
			var posts []notify.Saved
			if err := json.Unmarshal(b, &posts); err != nil {
				return err
			}
			s.notifier.Restore(posts)
			return nil
		}},
	} {
		data, ok, err := a.store.Get(state.Meta, part.key)
		if err == nil && ok {
			err = part.load(data)
		}
		if err != nil {
			s.logger.Error("Part of the checkpoint can't be used and is left out", "part", part.key, "err", err)
		}
	}
	var told []correlate.Incident
	err := a.store.Each(state.Incidents, func(key string, value []byte) error {
		var inc correlate.Incident
		if err := json.Unmarshal(value, &inc); err != nil {
			s.logger.Warn("A kept incident can't be read", "incident", key, "err", err)
			return nil
		}
		told = append(told, inc)
		s.incidents.mu.Lock()
		s.incidents.removed[key] = inc
		s.incidents.mu.Unlock()
		return nil
	})
	// The checkpoint may be a minute old; what was told since then keeps its identity.
	s.incidents.engine.Adopt(a.now(), told)
	return err
}

// replay feeds the messages that came after the last checkpoint to the session, as they were
// received.
func (a *App) replay() error {
	from := state.Pos{}
	if data, ok, err := a.store.Get(state.Meta, keyPosition); err == nil && ok {
		if from, err = state.ParsePos(string(data)); err != nil {
			a.logger.Error("The position of the checkpoint can't be read: the whole log is replayed", "err", err)
		}
	}
	n := 0
	report, err := a.log.Replay(from, func(_ state.Pos, kind byte, payload []byte) error {
		if err := a.receiver.Decode(context.Background(), kind, payload); err != nil {
			a.logger.Error("A kept message can't be used", "err", err)
			return nil
		}
		n++
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay the log: %w", err)
	}
	if n > 0 || len(report.Damaged) > 0 {
		a.logger.Info("Replayed the log", "messages", n, "damaged", len(report.Damaged))
	}
	return nil
}

// forgetOld drops ended incidents that are older than the retention.
func (a *App) forgetOld(ctx context.Context, s *session) error {
	limit := a.now().Add(-time.Duration(a.opts.Retention))
	var writes []state.Write
	s.incidents.mu.Lock()
	for id, inc := range s.incidents.removed {
		if inc.State == correlate.StateResolved && inc.End.Before(limit) {
			writes = append(writes, state.Write{Bucket: state.Incidents, Key: id})
			delete(s.incidents.removed, id)
		}
	}
	s.incidents.mu.Unlock()
	if len(writes) == 0 {
		return nil
	}
	return a.store.PutAll(ctx, writes)
}
