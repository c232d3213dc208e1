package host

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestSpecLimitsAreTheCode holds the table of limits in the specification of
// the ABI to the code, in both directions: no row goes unchecked.
func TestSpecLimitsAreTheCode(t *testing.T) {
	d, o := limit.Default(), egress.DefaultLimits()
	want := map[string]string{
		"key, prefix, cursor":                    specSize(store.MaxKey),
		"value":                                  specSize(store.MaxValue),
		"effects of an attempt":                  specCount(store.MaxEffectOps) + " keys, " + specSize(store.MaxEffectBytes) + " of keys and values",
		"keys with a versionstamp of an attempt": specCount(store.MaxStamped),
		"keys of a key space; bytes of its keys and values *": specCount(kv.DefaultKeys) + "; " + specSize(kv.DefaultBytes),
		"name of a blob; its media type; its metadata; a disposition": fmt.Sprintf("%d bytes; %d bytes; %s; %s",
			limits.BlobName, limits.BlobType, specSize(limits.BlobMetadata), specSize(limits.BlobDisposition)),
		"blobs that an attempt has begun":                specCount(limits.BlobWriters),
		"names of blobs; bytes of the blobs they name *": specCount(limits.BlobCount) + "; " + specSize(limits.BlobBytes),
		"request body *":                                    specSize(d.RequestBody),
		"request head":                                      fmt.Sprintf("%s, target %s, %d fields", specSize(limit.RequestHead), specSize(limit.RequestURL), limit.Headers),
		"message of a queue; its key; its id":               fmt.Sprintf("%s; %d bytes; %d bytes", specSize(limits.QueueBody), limits.QueueKey, limits.QueueKey),
		"statement of SQL; its parameters; text, blob, row": fmt.Sprintf("%s; %s; %s", specSize(limits.SQLStatement), specSize(limits.SQLArgs), specSize(limits.SQLStatement)),
		"queries of an attempt that are open":               fmt.Sprint(limits.SQLQueries),
		"memory of a database's connection":                 specSize(limits.SQLMemory),
		"body of a webhook; its URL; its account":           fmt.Sprintf("%s; %s; %d bytes", specSize(limits.QueueBody), specSize(limits.RequestURL), limits.QueueKey),
		"messages that an attempt sends, together with its keys with a versionstamp": specCount(limits.QueueSends),
		"delay of a message": fmt.Sprintf("%d days", limits.QueueDelay/(24*3600*1000)),
		"messages, dead letters and ids of a plugin's queues":  specCount(queue.MaxHeld) + ", " + specSize(queue.MaxHeldBytes),
		"data on a socket, and of a message; name of an event": fmt.Sprintf("%s; %d bytes", specSize(limits.SocketData), limits.SocketName),
		"name of a topic; attachment; reason of a close":       fmt.Sprintf("%d bytes; %s; %d bytes", limits.Topic, specSize(limits.SocketAttached), limits.SocketReason),
		"things that an attempt says on sockets":               specCount(limits.SocketEffects),
		"topics that a socket follows":                         specCount(limits.SocketTopics),
		"attributes of a request":                              fmt.Sprintf("%d, %s of names and values", limit.Attributes, specSize(limit.AttributesBytes)),
		"response body *":                                      specSize(d.ResponseBody),
		"response head":                                        fmt.Sprintf("%s, %d fields", specSize(limit.ResponseHead), limit.Headers),
		"pattern reported by `route_set":                       fmt.Sprint(limit.RoutePattern, " bytes"),
		"log message; attributes of a log line":                specSize(limit.LogLine) + " each",
		"log lines of an attempt":                              specCount(limit.LogLines),
		"memory *":                                             specSize(d.Memory),
		"deadline over all attempts *":                         fmt.Sprintf("%g s", d.Deadline.Seconds()),
		"attempts":                                             fmt.Sprint(limit.Attempts),
		"password; hash that it is compared with":              fmt.Sprintf("%s; %d bytes", specSize(limits.Password), limits.PasswordHash),
		"hashes that an attempt computes":                      fmt.Sprint(limits.PasswordHashes),
		"parameters of a hash": fmt.Sprintf("%s; %s times passes; %d lanes",
			specSize(limits.PasswordMemory), specSize(limits.PasswordTraffic), limits.PasswordLanes),
		"calls of an attempt *; at once *": fmt.Sprintf("%d; %d", o.Calls, o.Concurrent),
		"time of a call *":                 fmt.Sprintf("%g s, and the deadline", o.Timeout.Seconds()),
		"request of a call": fmt.Sprintf("head %s, %d fields, URL %s, body %s",
			specSize(egress.MaxHead), limit.Headers, specSize(limit.RequestURL), specSize(egress.MaxBody)),
		"request bodies of an attempt, until sent or closed":     specSize(egress.MaxBodies),
		"answers of a request's calls, kept for another attempt": specSize(egress.MaxAnswers),
		"response of a call": fmt.Sprintf("head %s, body * %s, decompressed", specSize(limit.ResponseHead), specSize(o.ResponseBody)),
	}
	table := specLimits(t)
	for name, cells := range table {
		if want, known := want[name]; !known {
			t.Errorf("SPEC.md has a limit %q that this test does not know", name)
		} else if len(cells) < 2 || cells[0] != want {
			t.Errorf("SPEC.md row %q is %q, the code says %q", name, cells, want)
		}
	}
	for name := range want {
		if table[name] == nil {
			t.Errorf("SPEC.md has no row %q", name)
		}
	}
}

// specLimits returns the rows of §8.
func specLimits(t *testing.T) map[string][]string {
	t.Helper()
	_, text, found := strings.Cut(read(t, "../abi/SPEC.md"), "\n## 8. Limits\n")
	text, _, ended := strings.Cut(text, "\n## ")
	if !found || !ended {
		t.Fatal("SPEC.md has no section 8, Limits")
	}
	table := rows(text)
	delete(table, "what") // the heading
	delete(table, "---")
	return table
}

// specSize writes a size as the specification does: 4 MiB.
func specSize(n int64) string {
	text := limit.FormatSize(n)
	unit := strings.TrimLeft(text, "0123456789")
	return strings.TrimSuffix(text, unit) + " " + unit
}

// specCount writes a number as the specification does: 10,000.
func specCount(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", specCount(n/1000), n%1000)
}

// TestSpecHostCharacters holds what §6.4 says of a URL's host to the code: every
// character that is accepted in the middle of a label is named, and no other.
func TestSpecHostCharacters(t *testing.T) {
	spec, err := os.ReadFile("../abi/SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(spec)), " ")
	_, rule, _ := strings.Cut(text, "writes its host other than in lower or upper case ASCII letters, digits, ")
	rule, _, ok := strings.Cut(rule, ", a dotted quad")
	if !ok {
		t.Fatal("SPEC.md does not say what a host is made of")
	}
	for c := byte(0x21); c < 0x7f; c++ {
		if c == ':' {
			continue // of an IPv6 address
		}
		_, why := plugin.CheckHost("a" + string(c) + "b.example")
		letter := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if said := letter || strings.Contains(rule, "`"+string(c)+"`"); said != (why == "") {
			t.Errorf("%q in a host: SPEC.md says %v, the code %q", c, said, why)
		}
	}
}
