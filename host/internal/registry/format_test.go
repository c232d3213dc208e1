package registry

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// stored is a record as it lies in the store.
type stored struct{ Key, Value string }

// storedIn returns the records of a file of testdata/records.
func storedIn(t *testing.T, format int) (all []stored) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "records", fmt.Sprintf("%d.json", format)))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) < 30 {
		t.Fatalf("%d records of format %d, %v", len(all), format, err)
	}
	return all
}

// openWith returns a registry on a store that holds records.
func openWith(t *testing.T, all []stored) *fixture {
	t.Helper()
	f := open(t)
	f.write(func(tx *records) error {
		for _, r := range all {
			if err := tx.Set([]byte(r.Key), []byte(r.Value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	f.reopen()
	return f
}

func at(t *testing.T, clock string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, "2026-11-28T23:09:"+clock+"Z")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestStoredRecordsAreReadForEver: a registry of any format that was ever
// written is the same registry.
func TestStoredRecordsAreReadForEver(t *testing.T) {
	for format := range Format + 1 {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			f := openWith(t, storedIn(t, format))
			f.unlock(sampleRing(t))
			grant := granted(kv.Terms{Keys: 1_000_000, Bytes: 512 << 20})
			call := plugin.Grant{}.With(outbound.Name, outbound.Terms("https://example.com https://go.dev https://www.iana.org"))
			vars := map[string]string{"home": "https://example.org/"}
			secrets := map[string]plugin.Secret{"api_key": {Value: "secret-1", Set: noon}}
			cors := &plugin.CORS{
				Origins: []string{"https://app.example.org"}, Methods: []string{"GET", "PUT"}, Headers: []string{"content-type"},
				Expose: []string{"etag"}, Credentials: true, MaxAge: 600,
			}

			var links struct { // of format 3
				rollout  *plugin.Rollout
				pins     []int
				rejected *plugin.Rejection
			}
			if format >= 3 {
				links.rollout, links.pins = &plugin.Rollout{
					From: 1, To: 2, Plan: plugin.Plan{{Weight: 500, Bake: 2 * time.Minute}, {Weight: 2500, Bake: 5 * time.Minute}}, Key: "header:x-user", Step: 1, By: "admin",
					Started: at(t, "31.2"), Stepped: at(t, "31.3"), Outcome: plugin.RolledBack, Reason: "it traps more often", Ended: at(t, "31.4"),
				}, []int{1}
				links.rejected = &plugin.Rejection{By: "ann", Reason: "too much", At: at(t, "31.5")}
			}
			plugins, err := f.Plugins(t.Context())
			check(t, "plugins", err, plugins, []plugin.Plugin{
				{Name: "fetch", Mount: "/fetch", Space: 17, Grant: call, Deployment: 1, Active: 1, Versions: 1, Created: at(t, "12.334458322")},
				{Name: "hello", Mount: "/hello", Space: 16, Versions: 1, Created: at(t, "11.350252655"), Deleted: true},
				{
					Name: "links", Mount: "links.example/l", Space: 18, Vars: vars, Secrets: secrets, Grant: grant, CORS: cors,
					Deployment: 6, Active: 1, Versions: 2, Created: at(t, "14.395067989"), Rollout: links.rollout, Pins: links.pins,
				},
			})
			const digest = "sha256:9e2f4a86bc13e9fb495c3922b55dd9f46277fdc229f233ee163149b5dacae158"
			versions, err := f.Versions(t.Context(), "links")
			check(t, "versions", err, versions, []plugin.Version{
				{Number: 2, Digest: digest, Size: 3985020, Label: "second", By: "admin", Created: at(t, "31.41502058"), Ask: grant, Rejected: links.rejected},
				{Number: 1, Digest: digest, Size: 3985020, By: "admin", Created: at(t, "14.395067989"), Ask: grant, Mount: "links.example/l", Approved: format >= 3},
			})
			deployments, err := f.Deployments(t.Context(), "links", 0, 1)
			check(t, "deployments", err, deployments, []plugin.Deployment{{
				Number: 6, Version: 1, Mount: "links.example/l", Grant: grant, Vars: vars, CORS: cors, By: "admin", Created: at(t, "31.46396337"),
			}})
			events, err := f.Audit(t.Context(), 9, 2)
			for i := range events {
				events[i].Prev = "" // from format 3 on
			}
			check(t, "events", err, events, []plugin.Event{
				{Number: 10, Time: at(t, "31.41502058"), By: "admin", Action: plugin.ActionUpload, Plugin: "links", Version: 2, Detail: digest},
				{Number: 11, Time: at(t, "31.415623179"), By: "admin", Action: plugin.ActionActivate, Plugin: "links", Version: 2, Deployment: 5},
			})
			m, err := f.Manifest(t.Context(), "links", 1)
			if err != nil || m.Name != "links" || len(m.Vars) != 2 {
				t.Errorf("the manifest is %+v, %v", m, err)
			}
			if left := f.keys(0x13); len(left) != 0 {
				t.Errorf("the purge that was not finished left %q", left)
			}
			if p, _ := f.upload("new", "module"); p.Space != 20 {
				t.Errorf("the next plugin has space %d, want 20: the ids before it were given away", p.Space)
			}
		})
	}
}

func check[T any](t *testing.T, what string, err error, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
	}
}

// rewritten returns a record as this program writes it.
func rewritten(t *testing.T, r stored) string {
	t.Helper()
	encode := func(v any, err error) string {
		data, bad := json.Marshal(v)
		if err != nil || bad != nil {
			t.Fatalf("%s: %v, %v", r.Key, err, bad)
		}
		return string(data)
	}
	data := []byte(r.Value)
	switch kind, _, _ := strings.Cut(strings.TrimPrefix(r.Key, "registry/"), "/"); kind {
	case "plugin":
		v, err := decode[pluginRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newPluginRecord(v), err)
	case "version":
		v, err := decode[versionRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newVersionRecord(v), err)
	case "deployment":
		v, err := decode[deploymentRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newDeploymentRecord(v), err)
	case "audit":
		v, err := decode[eventRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newEventRecord(v), err)
	case "token":
		v, err := decode[passRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newPassRecord(v), err)
	case "owner":
		v, err := decode[ownerRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newOwnerRecord(v), err)
	case "team":
		v, err := decode[teamRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newTeamRecord(v), err)
	case "trust":
		v, err := decode[ruleRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newRuleRecord(v), err)
	case "secret":
		v, err := decode[secretRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(v, err)
	case "key":
		v, err := decode[keyRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(v, err)
	case "hold":
		v, err := decode[holdRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newHoldRecord(v), err)
	case "sealed":
		v, err := decode[sealedRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(v, err)
	case "purge", "spaces":
		v, err := decode[spaceRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newSpaceRecord(v), err)
	case "chain":
		v, err := decode[chainRecord](capabilities.All(capabilities.Config{}), r.Key, data)
		return encode(newChainRecord(v), err)
	case "manifest":
		return r.Value
	}
	t.Fatalf("no kind of record has the key %q", r.Key)
	return ""
}

// TestRecordsAreWrittenInTheirFormat: whoever changes a record without a new
// format makes records that a program of the same format misreads.
func TestRecordsAreWrittenInTheirFormat(t *testing.T) {
	for _, r := range storedIn(t, Format) {
		if got := rewritten(t, r); got != r.Value {
			t.Errorf("%s is written as\n%s\nbut lies in testdata as\n%s\nraise Format, and add its records", r.Key, got, r.Value)
		}
	}
}

func TestANewerRecordIsRefusedByName(t *testing.T) {
	kinds := map[string]func(*fixture) error{
		"registry/plugin/links":                           func(f *fixture) error { _, err := f.Plugin(t.Context(), "links"); return err },
		"registry/version/0000000000000012/0000000002":    func(f *fixture) error { _, err := f.Versions(t.Context(), "links"); return err },
		"registry/deployment/0000000000000012/0000000006": func(f *fixture) error { _, err := f.Deployments(t.Context(), "links", 0, 0); return err },
		"registry/audit/00000000000000000016":             func(f *fixture) error { _, err := f.Audit(t.Context(), 0, 0); return err },
		"registry/chain":                                  func(f *fixture) error { _, err := f.AuditLines(t.Context(), 0, 0); return err },
		"registry/spaces": func(f *fixture) error {
			_, _, err := f.AddVersion(t.Context(), AddVersion{Name: "new", Module: []byte("m")})
			return err
		},
	}
	for key, read := range kinds {
		f := openWith(t, storedIn(t, Format))
		f.write(func(tx *records) error {
			return tx.Set([]byte(key), fmt.Appendf(nil, `{"format":%d,"name":{"what":"nobody knows yet"}}`, Format+1), 0)
		})
		err := read(f)
		wantCode(t, err, fault.Invalid)
		want := fmt.Sprintf("record %q was written by a newer wasmoor (record format %d; this one knows %d)", key, Format+1, Format)
		if !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%s: the error is %v, want %q in it", key, err, want)
		}
	}
}
