package stack

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/demo/failover"
	"github.com/tidemark/tidemark/demo/pager"
)

// BareOptions say what the servers of a Bare are. Root, Bin, Tools and Dir are those of Options.
type BareOptions struct {
	Root, Bin, Tools, Dir string
	// Prometheus is another server program than that of Tools.
	Prometheus string
	// EditPrometheus, EditAlertmanager and EditTidemark change the decoded configuration of the
	// fail-open example before it is written.
	EditPrometheus, EditAlertmanager, EditTidemark func(map[string]any)
	// Rules is the file of rules that Prometheus evaluates.
	Rules string
	// Flags are further flags of Tidemark.
	Flags []string
}

// Bare is the servers of the fail-open example without the shop: for a test that brings what is
// watched. Its servers are started by the caller.
type Bare struct {
	Pager        *pager.Pager
	FailOver     *failover.Endpoint
	Prometheus   *Prometheus
	Alertmanager *Alertmanager
	Tidemark     *Tidemark
	// More are the further Tidemarks that Another made.
	More []*Tidemark

	opts BareOptions
}

// Another makes a further Tidemark over the same servers, with the configuration of the first one and a storage folder
// of its own.
func (b *Bare) Another(flags ...string) (*Tidemark, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.opts.Dir, fmt.Sprintf("tidemark-%d", len(b.More)+2))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range []string{"tidemark.yml", "client.yml", "approve.token", "runbook.key"} {
		data, err := os.ReadFile(filepath.Join(b.opts.Dir, name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	t := newTidemark(b.opts.Bin, dir, addr)
	t.args = append(t.args, flags...)
	b.More = append(b.More, t)
	return t, nil
}

// EditPrometheus changes Prometheus' configuration once all addresses are known.
func (b *Bare) EditPrometheus(edit func(map[string]any)) error {
	name := filepath.Join(b.opts.Dir, "prometheus.yml")
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := yaml.Unmarshal(data, &c); err != nil {
		return err
	}
	edit(c)
	if data, err = yaml.Marshal(c); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o600)
}

// NewBare starts the pager and the runbook endpoint, chooses addresses and writes all configuration.
// Dir belongs to the caller.
func NewBare(opts BareOptions) (_ *Bare, err error) {
	b := &Bare{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.Pager, err = pager.New(); err != nil {
		return nil, err
	}
	if b.FailOver, err = failover.New(func() {}); err != nil {
		return nil, err
	}
	prom, am, tide, err := new(Stack).addresses()
	if err != nil {
		return nil, err
	}
	w := writer{dir: opts.Dir, root: opts.Root, prometheus: prom, alertmanager: am, tidemark: tide, edit: opts.EditTidemark}
	if err := os.WriteFile(filepath.Join(opts.Dir, "rules.yml"), []byte(opts.Rules), 0o600); err != nil {
		return nil, err
	}
	if err := w.write(nil, b.Pager.URL(), b.FailOver); err != nil {
		return nil, err
	}
	if err := w.rewrite("prometheus.yml", func(c map[string]any) {
		c["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
		c["rule_files"] = []string{"rules.yml"}
		if opts.EditPrometheus != nil {
			opts.EditPrometheus(c)
		}
	}); err != nil {
		return nil, err
	}
	if err := w.rewrite("alertmanager.yml", func(c map[string]any) {
		w.editAlertmanager(c, b.Pager.URL())
		if opts.EditAlertmanager != nil {
			opts.EditAlertmanager(c)
		}
	}); err != nil {
		return nil, err
	}
	b.Prometheus = newPrometheus(cmp.Or(opts.Prometheus, filepath.Join(opts.Tools, "prometheus")), opts.Dir, prom)
	b.Alertmanager = newAlertmanager(filepath.Join(opts.Tools, "alertmanager"), opts.Dir, am)
	b.Tidemark = newTidemark(opts.Bin, opts.Dir, tide)
	b.Tidemark.args = append(b.Tidemark.args, opts.Flags...)
	return b, nil
}

// Close stops everything, last started first.
func (b *Bare) Close() error {
	var errs []error
	if b.Tidemark != nil {
		for _, p := range []*Process{b.Tidemark.Process, b.Alertmanager.Process, b.Prometheus.Process} {
			errs = append(errs, p.Stop(stopPatience))
		}
	}
	for _, t := range b.More { // After Prometheus, that may write to them until its end.
		errs = append(errs, t.Stop(stopPatience))
	}
	if b.FailOver != nil {
		errs = append(errs, b.FailOver.Close())
	}
	if b.Pager != nil {
		errs = append(errs, b.Pager.Close())
	}
	return errors.Join(errs...)
}
