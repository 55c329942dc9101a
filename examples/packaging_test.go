package examples_test

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// settings of a unit that we use, by section (systemd.unit, systemd.service, systemd.exec).
var unitKeys = map[string]string{
	"Unit": "Description Documentation Wants After",
	"Service": "Type DynamicUser StateDirectory ExecStart ExecReload Restart RestartSec TimeoutStopSec NoNewPrivileges " +
		"CapabilityBoundingSet ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectKernelTunables ProtectKernelModules " +
		"ProtectKernelLogs ProtectControlGroups ProtectClock ProtectHostname RestrictAddressFamilies RestrictNamespaces " +
		"RestrictRealtime RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute SystemCallArchitectures SystemCallFilter " +
		"UMask LimitNOFILE",
	"Install": "WantedBy",
}

// unit reads a systemd unit: sections, known settings, flags that the program has, and a storage
// folder that the unit may write.
func unit(t *testing.T, file string) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	section, values := "", map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			require.Contains(t, unitKeys, section)
		default:
			key, value, ok := strings.Cut(line, "=")
			require.Truef(t, ok, "%q is no setting", line)
			require.Containsf(t, strings.Fields(unitKeys[section]), key, "setting in [%s]", section)
			values[key] = value
		}
	}
	knownFlags(t, values["ExecStart"])
	require.Contains(t, values["ExecStart"], "--storage.path=/var/lib/"+values["StateDirectory"])
	require.Equal(t, "multi-user.target", values["WantedBy"])
}

// service is what our compose file says of a service.
type service struct {
	Image       string                    `yaml:"image"`
	Build       *struct{ Context string } `yaml:"build"`
	Command     []string                  `yaml:"command"`
	Environment map[string]string         `yaml:"environment"`
	Ports       []string                  `yaml:"ports"`
	Volumes     []string                  `yaml:"volumes"`
	Networks    []string                  `yaml:"networks"`
	DependsOn   []string                  `yaml:"depends_on"`
	Restart     string                    `yaml:"restart"`
	ReadOnly    bool                      `yaml:"read_only"`
	CapDrop     []string                  `yaml:"cap_drop"`
	SecurityOpt []string                  `yaml:"security_opt"`
	PID         string                    `yaml:"pid"`
}

func compose(t *testing.T, file string) {
	var c struct {
		Name     string              `yaml:"name"`
		Defaults map[string]any      `yaml:"x-defaults"`
		Services map[string]service  `yaml:"services"`
		Networks map[string]struct{} `yaml:"networks"`
		Volumes  map[string]struct{} `yaml:"volumes"`
	}
	strict(t, file, &c)
	dir := filepath.Dir(file)
	for name, s := range c.Services {
		require.Regexp(t, `:[a-z0-9.]+$`, s.Image, "%s: the image has a tag", name)
		for _, n := range s.Networks {
			require.Contains(t, c.Networks, n)
		}
		for _, d := range s.DependsOn {
			require.Contains(t, c.Services, d)
		}
		for _, p := range s.Ports {
			require.Regexp(t, `^127\.0\.0\.1:\d+:\d+$`, p, "%s: ports are open to this machine only", name)
		}
		for _, v := range s.Volumes {
			from, _, ok := strings.Cut(v, ":")
			require.Truef(t, ok, "%s: volume %q", name, v)
			switch {
			case strings.HasPrefix(from, "."):
				_, err := os.Stat(filepath.Join(dir, from))
				require.NoErrorf(t, err, "%s mounts it", name)
			case !path.IsAbs(from):
				require.Containsf(t, c.Volumes, from, "%s mounts it", name)
			}
		}
	}
	knownFlags(t, strings.Join(c.Services["tidemark"].Command, " "))

	// Names of services are how they find each other.
	for _, f := range []string{"prometheus.yml", "alertmanager.yml", "tidemark.yml", "fluent-bit.yaml", "grafana/datasources/datasources.yml"} {
		data, err := os.ReadFile(filepath.Join(dir, f))
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?:http://|"|host: )([a-z-]+)(?::\d+|\n)`).FindAllStringSubmatch(string(data), -1) {
			if m[1] != "localhost" {
				require.Containsf(t, c.Services, m[1], "%s calls it", f)
			}
		}
	}
}

func fluentBit(t *testing.T, file string) {
	type plugin struct {
		Name       string `yaml:"name"`
		Tag        string `yaml:"tag"`
		Match      string `yaml:"match"`
		Path       string `yaml:"path"`
		Parser     string `yaml:"parser"`
		DB         string `yaml:"db"`
		MemBuf     string `yaml:"mem_buf_limit"`
		Host       string `yaml:"host"`
		Port       int    `yaml:"port"`
		URI        string `yaml:"uri"`
		Labels     string `yaml:"labels"`
		LineFormat string `yaml:"line_format"`
	}
	var c struct {
		Service struct {
			Flush    int    `yaml:"flush"`
			LogLevel string `yaml:"log_level"`
		} `yaml:"service"`
		Pipeline struct {
			Inputs  []plugin `yaml:"inputs"`
			Outputs []plugin `yaml:"outputs"`
		} `yaml:"pipeline"`
	}
	strict(t, file, &c)
	require.Len(t, c.Pipeline.Outputs, 2)
	for _, o := range c.Pipeline.Outputs {
		require.Equal(t, "loki", o.Name)
		require.NotEmpty(t, o.Match)
	}
	require.Equal(t, "/loki/api/v1/push", c.Pipeline.Outputs[1].URI, "the endpoint that Tidemark serves")
}

func grafanaSources(t *testing.T, file string) {
	var c struct {
		APIVersion  int `yaml:"apiVersion"`
		DataSources []struct {
			Name      string         `yaml:"name"`
			UID       string         `yaml:"uid"`
			Type      string         `yaml:"type"`
			Access    string         `yaml:"access"`
			URL       string         `yaml:"url"`
			IsDefault bool           `yaml:"isDefault"`
			JSONData  map[string]any `yaml:"jsonData"`
		} `yaml:"datasources"`
	}
	strict(t, file, &c)
	var types []string
	for _, s := range c.DataSources {
		require.NotEmpty(t, s.UID)
		types = append(types, s.Type)
	}
	require.ElementsMatch(t, []string{"prometheus", "loki", "alertmanager"}, types, "what the dashboards choose from")
}

func grafanaDashboards(t *testing.T, file string) {
	var c struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name            string            `yaml:"name"`
			Folder          string            `yaml:"folder"`
			Type            string            `yaml:"type"`
			DisableDeletion bool              `yaml:"disableDeletion"`
			AllowUIUpdates  bool              `yaml:"allowUiUpdates"`
			Interval        int               `yaml:"updateIntervalSeconds"`
			Options         map[string]string `yaml:"options"`
		} `yaml:"providers"`
	}
	strict(t, file, &c)
	data, err := os.ReadFile("docker-compose/docker-compose.yml")
	require.NoError(t, err)
	require.Contains(t, string(data), "../../dashboards:"+c.Providers[0].Options["path"]+":ro", "the folder is mounted")
}

// TestRelease reads what goreleaser and docker read: every file and target that they name exists.
func TestRelease(t *testing.T) {
	data, err := os.ReadFile("../.goreleaser.yaml")
	require.NoError(t, err)
	var c struct {
		Builds []struct {
			Main, Binary string
			Env          []string
		}
		Archives []struct{ Files []string }
		NFPMs    []struct {
			Contents []struct{ Src string }
		} `yaml:"nfpms"`
		Dockers []struct {
			Dockerfile string
			ExtraFiles []string `yaml:"extra_files"`
			Flags      []string `yaml:"build_flag_templates"`
			Images     []string `yaml:"image_templates"`
		}
		Manifests []struct {
			Images []string `yaml:"image_templates"`
		} `yaml:"docker_manifests"`
	}
	require.NoError(t, yaml.Unmarshal(data, &c))

	var files []string
	for _, b := range c.Builds {
		files = append(files, b.Main)
		require.Contains(t, b.Env, "CGO_ENABLED=0", "the binary is static")
	}
	for _, a := range c.Archives {
		files = append(files, a.Files...)
	}
	for _, n := range c.NFPMs {
		for _, content := range n.Contents {
			files = append(files, content.Src)
		}
	}
	var images []string
	for _, d := range c.Dockers {
		files = append(append(files, d.Dockerfile), d.ExtraFiles...)
		images = append(images, d.Images...)
		require.Contains(t, d.Flags, "--target=release")
	}
	require.ElementsMatch(t, images, c.Manifests[0].Images)
	made, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	for _, f := range files {
		if share, ok := strings.CutPrefix(f, "bin/share/"); ok { // `make man` writes them before the release.
			page := strings.NewReplacer("tidemark", "$$p", "tidetool", "$$p").Replace(share)
			require.Truef(t, share == "*" || strings.Contains(string(made), "> bin/share/"+page+" "), "make man writes %s", f)
			continue
		}
		found, err := filepath.Glob(filepath.Join("..", strings.ReplaceAll(f, "**/", "*/")))
		require.NoError(t, err)
		require.NotEmptyf(t, found, "%s is released", f)
	}

	docker, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	require.Contains(t, string(docker), " AS release\n")
	require.Contains(t, string(docker), "USER nonroot:nonroot")
	cmd := regexp.MustCompile(`(?m)^CMD (.*)$`).FindStringSubmatch(string(docker))
	require.NotNil(t, cmd)
	knownFlags(t, cmd[1])
}
