package receiver

import (
	"fmt"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// checkWriteLabel says what is wrong with one label of a series.
func checkWriteLabel(c *RemoteWriteConfig, name, value []byte) error {
	switch {
	case len(name) == 0:
		return fmt.Errorf("a label has no name")
	case len(name) > int(c.MaxNameBytes):
		return fmt.Errorf("label name %.100q has %d bytes, at most %d are allowed", name, len(name), c.MaxNameBytes)
	case len(value) > int(c.MaxValueBytes):
		return fmt.Errorf("the value of label %.100q has %d bytes, at most %d are allowed", name, len(value), c.MaxValueBytes)
	case !utf8.Valid(name) || !utf8.Valid(value):
		return fmt.Errorf("label %.100q is not UTF-8", name)
	}
	return nil
}

// checkWriteLabels says what is wrong with the labels of a series as a whole.
func checkWriteLabels(c *RemoteWriteConfig, ls labels.Labels) error {
	switch n := ls.Len(); {
	case n > c.MaxLabels:
		return fmt.Errorf("a series has %d labels, at most %d are allowed: %.200s", n, c.MaxLabels, ls)
	case !ls.Has(model.MetricNameLabel):
		return fmt.Errorf("a series has no metric name: %.200s", ls)
	}
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		return fmt.Errorf("label %.100q stands twice in a series", name)
	}
	return nil
}
