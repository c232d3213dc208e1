package prepare

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/cpu"
)

// machine describes what machine code is made for: wazero uses instructions
// that not every processor has. It takes all the features the system tells of,
// for which of them count is wazero's matter.
func machine() string {
	return fmt.Sprintf("%s/%s %+v %+v %s", runtime.GOOS, runtime.GOARCH, cpu.X86, cpu.ARM64, features("/proc/cpuinfo"))
}

// features returns the line of the first processor's features in Linux's list,
// "" where there is none.
func features(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()                  // only read
	text, err := io.ReadAll(io.LimitReader(f, 1<<16)) // processors are alike, and there may be hundreds
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch string(bytes.TrimSpace(name)) {
		case "flags", "Features":
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
