package figures

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine names what figures were measured on.
func Machine() string {
	model := runtime.GOARCH
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	memory := ""
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib float64
		if _, err := fmt.Sscanf(string(raw), "MemTotal: %g kB", &kib); err == nil {
			memory = fmt.Sprintf(", %.0f GiB", kib/(1<<20))
		}
	}
	return fmt.Sprintf("%d CPUs (%s)%s, %s", runtime.NumCPU(), model, memory, runtime.Version())
}
