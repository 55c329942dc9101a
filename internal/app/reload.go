package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"time"
)

// Reload reads the configuration again. Everything that can fail is done first; only then does the
// new session take over the old one's state. On an error the running configuration stays.
func (a *App) Reload() (err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	defer func() { a.noteReload(err) }()
	if a.run == nil {
		return fmt.Errorf("reload before the start is complete")
	}
	if err := a.run.Err(); err != nil {
		return fmt.Errorf("reload while stopping: %w", err)
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	next, err := a.newSession(cfg)
	if err != nil {
		return err
	}
	if err := a.receiver.ApplyConfig(cfg.Receiver); err != nil {
		return err
	}
	if err := a.runbooks.ApplyConfig(cfg.Runbooks); err != nil {
		return err
	}
	// Nothing below may fail. Messages that come in meanwhile wait at the barrier.
	old := a.current()
	if err := old.stop(); err != nil {
		a.logger.Warn("The old session did not stop cleanly", "err", err)
	}
	err = a.receiver.Barrier(func() error {
		if err := next.restore(old); err != nil {
			return err
		}
		a.session.Store(next)
		return nil
	})
	if err != nil {
		old.start(a.run)
		return fmt.Errorf("take over the running state: %w", err)
	}
	next.start(a.run)
	a.logger.Info("Loaded the configuration", "file", a.opts.ConfigFile)
	return nil
}

func (a *App) noteReload(err error) {
	if err != nil {
		a.reload.ok.Set(0)
		msg := err.Error()
		a.lastErr.Store(&msg)
		return
	}
	a.lastErr.Store(nil)
	a.loaded = a.now()
	a.reload.ok.Set(1)
	a.reload.at.Set(float64(a.loaded.UnixMilli()) / 1000)
}

// watchFile reloads when the file's content changed; a Kubernetes ConfigMap changes by a swap of
// links, so the content is what counts, not the file's time.
func (a *App) watchFile(ctx context.Context) {
	if a.opts.ConfigFile == "" || a.opts.AutoReload <= 0 {
		return
	}
	tick := time.NewTicker(a.opts.AutoReload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sum, err := fileSum(a.opts.ConfigFile)
		if err != nil {
			a.logger.Warn("The configuration file can't be read", "err", err)
			continue
		}
		a.reloading.Lock()
		same := sum == a.fileSum
		a.reloading.Unlock()
		if same {
			continue
		}
		if err := a.Reload(); err != nil {
			a.logger.Error("The configuration file changed, but loading it failed: the running configuration stays", "err", err)
		}
	}
}

func fileSum(name string) (uint64, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	return h.Sum64(), nil
}
