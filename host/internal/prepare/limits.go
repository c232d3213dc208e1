package prepare

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Limits are what builds may use. What one build gets of them depends on its
// module and on nothing else, so that whether a module is taken does not depend on
// what the machine does meanwhile.
type Limits struct {
	Memory int64         // bytes of address space of all builds together, beyond what their processes start with
	CPU    time.Duration // of all threads of a build of a module of up to smallModule; a larger one gets more in proportion
	Idle   time.Duration // that a build may wait for anything but a processor
	Size   int64         // bytes of an artefact
	Places int           // builds at a time; the last one is for those that requests wait for

	Function int64 // engine.Options.Function of all modules
	Disk     int64 // bytes that all artefacts may take: those used longest ago go first; 0 = no bound
}

// What a build takes was measured (see BENCHMARKS.md): up to 63 times the size of
// a module of code alone, and of the guest's memory the instance, what it left and
// two copies to compare.
const (
	memoryPerByte  = 64
	memoryPerGuest = 4
	leastGuest     = 64 << 20 // counted for a guest with less memory: the compiler and its runtime
	leastShare     = 8        // of Memory is what each build gets at least
	smallModule    = 8 << 20
)

// allowance is what one build may use.
type allowance struct {
	Memory int64         `json:"memory"` // bytes of address space beyond what the process starts with
	CPU    time.Duration `json:"cpu"`    // of all its threads together, in whole seconds
	Idle   time.Duration `json:"idle"`
	Size   int64         `json:"size"` // bytes of the artefact
}

// reserve is the part of Memory that only a build which requests wait for gets.
func (l Limits) reserve() int64 { return l.Memory / 4 }

// allow returns what the build of a module may use whose guest may have so much
// memory.
func (l Limits) allow(module int, guest int64, awaited bool) allowance {
	most := l.Memory
	if !awaited {
		most -= l.reserve()
	}
	need := max(l.Memory/leastShare, memoryPerGuest*max(guest, leastGuest)+memoryPerByte*int64(module))
	cpu := l.CPU * time.Duration(max(module, smallModule)) / smallModule
	return allowance{
		Memory: min(need, most),
		CPU:    cpu.Truncate(time.Second), Idle: l.Idle, Size: l.Size,
	}
}

// outOfMemory is the error of a build that takes more memory than it may.
func (a allowance) outOfMemory() error {
	return fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
		"building the module takes more than %s of memory, which one of its size may take; make it smaller, use less memory when it initialises, or raise max_build_memory of the host", mebibytes(a.Memory)))
}

// outOfTime is the error of a build that takes more processor time than it may.
func (a allowance) outOfTime() error {
	return fault.New(fault.Deadline, "prepare", fmt.Sprintf(
		"building the module takes more than %s of processor time, which a module of its size may take; do less when it initialises, make it smaller, or raise max_build_time of the host", a.CPU))
}

// outOfPatience is the error of a build that waits.
func (a allowance) outOfPatience() error {
	return fault.New(fault.Deadline, "prepare", fmt.Sprintf(
		"building the module has waited for %s without computing, and nothing that it does waits; let it initialise without waiting, or try again if the machine's disk does not answer", a.Idle))
}

func (a allowance) outOfSize() error {
	return fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
		"the module becomes more than %s of machine code and memory; leave out what it does not use", limit.FormatSize(a.Size)))
}

// mebibytes is limit.FormatSize, in whole MiB from one on.
func mebibytes(n int64) string {
	if n >= 1<<20 {
		n = n >> 20 << 20
	}
	return limit.FormatSize(n)
}
