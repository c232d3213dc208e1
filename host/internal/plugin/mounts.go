package plugin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Mounts is where a plugin serves: its mounts with one space between, each once, in
// the order in which they were named. "" = none is named.
type Mounts string

// MaxMounts bounds the mounts of a plugin: each has all of its routes.
const MaxMounts = 32

// ParseMounts reads mounts with spaces between, as a person writes them. One that is
// named twice counts once. Errors are Invalid.
func ParseMounts(s string) (Mounts, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		_, err := ParseMount(s)
		return "", err
	}
	var list []string
	for _, word := range words {
		m, err := ParseMount(word)
		if err != nil {
			return "", err
		}
		if !slices.Contains(list, string(m)) {
			list = append(list, string(m))
		}
	}
	if len(list) > MaxMounts {
		return "", fault.New(fault.Invalid, "", fmt.Sprintf("%d mounts are named; a plugin has at most %d", len(list), MaxMounts))
	}
	return Mounts(strings.Join(list, " ")), nil
}

// List returns each mount.
func (m Mounts) List() (list []Mount) {
	for word := range strings.FieldsSeq(string(m)) {
		list = append(list, Mount(word))
	}
	return list
}

// Beyond returns the mounts that are not in has.
func (m Mounts) Beyond(has Mounts) []Mount {
	old := has.List()
	return slices.DeleteFunc(m.List(), func(at Mount) bool { return slices.Contains(old, at) })
}

// Foreign returns the mounts that a plugin has to ask for: those where it is not, and
// that are not its own.
func (m Mounts) Foreign(name string, has Mounts) []Mount {
	return slices.DeleteFunc(m.Beyond(has), func(at Mount) bool { return ownMount(name, at) })
}

// Flags returns the mounts as a command line takes them.
func (m Mounts) Flags() string {
	return "--mount " + strings.Join(strings.Fields(string(m)), " --mount ")
}
