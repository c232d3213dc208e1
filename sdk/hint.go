package sdk

import "strings"

// hints say what a plugin does in place of what an error is about. The standard
// library has its words from a system with files, sockets and processes.
var hints = [...]struct{ part, hint string }{
	{"dial tcp", noSockets},
	{"dial udp", noSockets},
	{"dial unix", noSockets},
	{"listen tcp", noSockets},
	{": write udp ", noSockets},
	{"executable file not found", noPrograms},
	{"fork/exec ", noPrograms},
	{"open /dev/null: ", noPrograms}, // which os/exec opens first
	{"No such file or directory", noFiles},
	{"Read-only file system", noFiles},
	{"not implemented on wasip1", "a plugin has no system below it"},
}

const (
	noSockets  = "a plugin has no sockets: call services with sdk/fetch, or import sdk/nethttp, with which http.Client works"
	noPrograms = "a plugin cannot run other programs"
	noFiles    = "a plugin has no files: embed what it reads with //go:embed, keep what it writes with sdk/kv"
)

// hint returns what a plugin does in place of what failed, "" if that is not known.
func hint(failure string) string {
	for _, h := range &hints {
		if strings.Contains(failure, h.part) {
			return h.hint
		}
	}
	return ""
}

// reported returns the attributes of an error or a panic in the log.
func reported(failure string, attrs ...any) []any {
	if h := hint(failure); h != "" {
		return append(attrs, "hint", h)
	}
	return attrs
}
