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
	"github.com/tidemark/tidemark/internal/state"
)

// keyPositions is where the store keeps how far each watch was read when the baselines were saved.
const keyPositions = "watch_positions"

// Intervals between two savings of the baselines: while history is learned a crash would cost what was learned
// since, so they are closer then. Later it costs the reading of half an hour, which is little more than that of a minute,
// while one saving costs as much as ten minutes of scoring. Saving may take a tenth of the time.
const (
	baselineInterval = 30 * time.Minute
	learningInterval = time.Minute
	savingShare      = 10
)

// keepBaselines saves the baselines from time to time until ctx ends.
func (s *session) keepBaselines(ctx context.Context) error {
	wait := learningInterval
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		began := time.Now()
		if err := s.saveBaselines(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("Saving the baselines failed, the next round tries again", "err", err)
		}
		wait = learningInterval
		if s.scorer.learned.Load() {
			wait = baselineInterval
		}
		wait = max(wait, savingShare*time.Since(began))
	}
}

// saveBaselines writes the baselines beside the old file and swaps them: a crash leaves one whole. How far
// each watch had been read before that is stored after it: what lies between is read again and taught once,
// since a series drops samples that are not newer than its last.
func (s *session) saveBaselines(ctx context.Context) error {
	if s.scorer.Len() == 0 {
		return nil
	}
	positions, err := json.Marshal(s.scorer.positions())
	if err != nil {
		return fmt.Errorf("save baselines: %w", err)
	}
	save := func(w io.Writer) error { return s.engine.Save(until{ctx, w}) }
	if err := writeFile(s.baselineFile(), save); err != nil {
		return err
	}
	if err := s.app.store.PutAll(ctx, []state.Write{{Bucket: state.Meta, Key: keyPositions, Value: positions}}); err != nil {
		return fmt.Errorf("store how far the watches are read: %w", err)
	}
	return nil
}

// until is a writer that fails once its context has ended: a saving of a million series is not waited for at the end,
// when another one follows.
type until struct {
	ctx context.Context
	io.Writer
}

// Write implements io.Writer.
func (u until) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Writer.Write(b)
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

// loadBaselines reads the saved baselines and how far the watches were read. What is damaged is set aside and
// learned again, with all that is known of the rest; a file that can't be read at all is set aside whole.
func (s *session) loadBaselines() {
	name := s.baselineFile()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		defer f.Close()
		err = s.engine.Load(f)
	}
	aside := fmt.Sprintf("%s.damaged-%d", name, s.app.now().Unix())
	var skipped *baseline.SkippedError
	switch {
	case err == nil:
		s.logger.Info("Loaded the saved baselines", "series", len(s.engine.All()))
		s.loadPositions()
	case errors.As(err, &skipped):
		s.scorer.metrics.damaged.Add(float64(skipped.Skipped))
		// Whose records they were nobody knows: all history is read again, and teaches those that lack it.
		s.logger.Error("Part of the saved baselines was damaged: it is set aside and learned again", "err", err, "set_aside", aside)
		if err := copyParts(aside, f, skipped.Parts); err != nil {
			s.logger.Error("Setting the damaged part of the baselines aside failed", "err", err)
		}
	default:
		s.scorer.metrics.damaged.Inc()
		s.logger.Error("The saved baselines can't be used: they are set aside and learned again", "err", err, "set_aside", aside)
		if err := os.Rename(name, aside); err != nil {
			s.logger.Error("Setting the baselines aside failed", "err", err)
		}
	}
}

// loadPositions takes up how far the watches were read when the baselines were saved.
func (s *session) loadPositions() {
	data, ok, err := s.app.store.Get(state.Meta, keyPositions)
	if err == nil && ok {
		var positions map[string]time.Time
		if err = json.Unmarshal(data, &positions); err == nil {
			s.scorer.cursors = positions
		}
	}
	if err != nil {
		s.logger.Error("How far the watches were read is not known: their history is read again", "err", err)
	}
}

// copyParts writes the damaged parts of a file into a new one.
func copyParts(name string, from io.ReaderAt, parts []baseline.Part) (err error) {
	to, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for _, p := range parts {
		if _, err := io.Copy(to, io.NewSectionReader(from, p.Offset, p.Length)); err != nil {
			return err
		}
	}
	return to.Sync()
}
