package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/baseline"
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

// saveBaselines writes the baselines beside the old file and swaps them: a crash leaves one whole.
func (s *session) saveBaselines() error {
	if !s.scorer.learned.Load() {
		return nil
	}
	return writeFile(s.baselineFile(), s.engine.Save)
}

func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("save baselines: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save baselines: %w", err), f.Close(), os.Remove(f.Name()))
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// residentSeries is how many series' baselines stay wholly in memory: about 60 MB of them. Above, what is
// needed only now and then lies on disk.
const residentSeries = 10_000

// openArchive gives the baselines a file without a name for what a large fleet needs only now and then.
func (s *session) openArchive() {
	f, err := os.CreateTemp(filepath.Dir(s.baselineFile()), "archive.*")
	if err == nil {
		err = os.Remove(f.Name()) // Its space is free again when the engine is gone: the runtime closes it then.
	}
	if err != nil {
		s.logger.Warn("Baselines stay in memory, since no file can be made for them", "err", err)
		return
	}
	s.engine.PageTo(f, residentSeries)
}

// loadBaselines reads the saved baselines. What is damaged is learned again; a file that can't be
// read at all is set aside.
func (s *session) loadBaselines() {
	name := s.baselineFile()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = s.engine.Load(f)
		_ = f.Close()
	}
	var skipped *baseline.SkippedError
	switch {
	case err == nil:
		s.logger.Info("Loaded the saved baselines", "series", len(s.engine.All()))
	case errors.As(err, &skipped):
		s.logger.Warn("Part of the saved baselines was damaged and is learned again", "err", err)
	default:
		aside := fmt.Sprintf("%s.bad-%d", name, s.app.now().Unix())
		s.logger.Error("The saved baselines can't be used and are set aside", "err", err, "set_aside", aside)
		if err := os.Rename(name, aside); err != nil {
			s.logger.Error("Setting the baselines aside failed", "err", err)
		}
	}
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
