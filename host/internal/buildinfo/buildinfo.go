// Package buildinfo says what a binary was built of: the version, the commit, and the
// modules that decide how it serves.
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// Info is what a binary was built of.
type Info struct {
	Version  string            `json:"version"`          // of the module, or else the commit; "devel" when neither is known
	Commit   string            `json:"commit,omitempty"` // all of it; "" when the build knew none
	Dirty    bool              `json:"dirty"`            // something was changed that the commit does not have
	Date     string            `json:"date,omitempty"`   // of the commit, RFC 3339
	Go       string            `json:"go"`
	Platform string            `json:"platform"` // as linux/amd64
	Modules  map[string]string `json:"modules"`  // versions of those in names, by name
}

// names has the path of each module that Info names, by the name that people know.
var names = map[string]string{
	"badger": "github.com/dgraph-io/badger/v4",
	"extism": "github.com/extism/go-sdk",
	"fiber":  "github.com/gofiber/fiber/v2",
	"wazero": "github.com/tetratelabs/wazero",
}

// Read returns what this binary was built of, as the go command has noted it.
func Read() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return of(build)
}

func of(build *debug.BuildInfo) Info {
	info := Info{Version: build.Main.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: map[string]string{}}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.modified":
			info.Dirty = s.Value == "true"
		case "vcs.time":
			info.Date = s.Value
		}
	}
	if info.Version == "" || info.Version == "(devel)" {
		info.Version = "devel"
		if info.Commit != "" {
			info.Version = info.Commit[:min(12, len(info.Commit))]
		}
	}
	for name, path := range names {
		for _, dep := range build.Deps {
			if dep.Path == path {
				info.Modules[name] = used(dep).Version
			}
		}
	}
	return info
}

// used returns the module that took the place of m, or m.
func used(m *debug.Module) *debug.Module {
	if m.Replace != nil {
		return m.Replace
	}
	return m
}
