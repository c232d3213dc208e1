package buildinfo

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	setting := func(kv ...string) (list []debug.BuildSetting) {
		for i := 0; i < len(kv); i += 2 {
			list = append(list, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return list
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	base := Info{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: map[string]string{}}
	for _, c := range []struct {
		name  string
		build debug.BuildInfo
		want  func(*Info)
	}{
		{"nothing is known", debug.BuildInfo{}, func(i *Info) { i.Version = "devel" }},
		{
			"a commit",
			debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: setting("vcs.revision", commit, "vcs.modified", "true", "vcs.time", "2026-11-29T12:00:00Z")},
			func(i *Info) {
				i.Version, i.Commit, i.Dirty, i.Date = commit[:12], commit, true, "2026-11-29T12:00:00Z"
			},
		},
		{
			"a release",
			debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: setting("vcs.revision", commit, "vcs.modified", "false")},
			func(i *Info) { i.Version, i.Commit = "v1.2.3", commit },
		},
		{
			"modules, one of them replaced",
			debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Deps: []*debug.Module{
				{Path: names["wazero"], Version: "v1.12.0"},
				{Path: names["fiber"], Version: "v2.52.15", Replace: &debug.Module{Path: "example.org/fiber", Version: "v2.0.0"}},
				{Path: "example.org/other", Version: "v1.0.0"},
			}},
			func(i *Info) {
				i.Version, i.Modules = "v1.2.3", map[string]string{"wazero": "v1.12.0", "fiber": "v2.0.0"}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := base
			c.want(&want)
			if diff := cmp.Diff(want, of(&c.build)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNames: a module that has another path, as of another major version, would be
// missing from the answer.
func TestNames(t *testing.T) {
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range names {
		if !strings.Contains(string(text), "\t"+path+" v") {
			t.Errorf("go.mod has no %s, for %s", path, name)
		}
	}
}
