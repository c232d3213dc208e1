package wasi

import "github.com/wasmoor/wasmoor/host/internal/capability"

// The standard streams, which are all that is open.
const (
	stdin  = 0
	stdout = 1
	stderr = 2
)

const (
	characterDevice = 2
	rightFDRead     = 1 << 1
	rightFDWrite    = 1 << 6

	fdstatSize   = 24
	filestatSize = 64
	iovecSize    = 8
)

// Bounds of one fd_write. A guest that passes more gets a short write and comes
// again: between two calls its deadline is looked at.
const (
	maxIovecs = 1024
	maxWrite  = 64 << 10
)

// fdstatGet describes the streams as terminals without position, so that C
// libraries flush them line by line.
func fdstatGet(g *capability.Guest, args []uint64) errno {
	out, ok := g.Mem.Range(args[1], fdstatSize)
	fd := uint32(args[0])
	switch {
	case !ok:
		return fault
	case fd > stderr:
		return badf
	}
	clear(out)
	out[0] = characterDevice
	rights := uint64(rightFDWrite)
	if fd == stdin {
		rights = rightFDRead
	}
	le.PutUint64(out[8:], rights)
	return success
}

// filestatGet says nothing of what kind the streams are: what goes to a log is
// neither for a terminal nor coloured, and no C library flushes by this.
func filestatGet(g *capability.Guest, args []uint64) errno {
	out, ok := g.Mem.Range(args[1], filestatSize)
	switch {
	case !ok:
		return fault
	case uint32(args[0]) > stderr:
		return badf
	}
	clear(out)
	out[24] = 1 // links
	return success
}

// fdRead finds standard input at its end.
func fdRead(g *capability.Guest, args []uint64) errno {
	read, ok := g.Mem.Range(args[3], 4)
	switch {
	case !ok:
		return fault
	case uint32(args[0]) != stdin:
		return badf
	}
	clear(read)
	return success
}

// fdWrite passes what is written on as log lines.
func fdWrite(g *capability.Guest, args []uint64) errno {
	fd, count := uint32(args[0]), uint64(uint32(args[2]))
	written, ok := g.Mem.Range(args[3], 4)
	switch {
	case !ok:
		return fault
	case fd != stdout && fd != stderr:
		return badf
	case count > maxIovecs:
		return inval
	}
	iovecs, ok := g.Mem.Range(args[1], count*iovecSize)
	if !ok {
		return fault
	}
	stream := capability.Stdout
	if fd == stderr {
		stream = capability.Stderr
	}
	total := 0
	for ; len(iovecs) > 0 && total < maxWrite; iovecs = iovecs[iovecSize:] {
		data, ok := g.Mem.Range(uint64(le.Uint32(iovecs)), uint64(le.Uint32(iovecs[4:])))
		if !ok {
			return fault
		}
		data = data[:min(len(data), maxWrite-total)]
		g.Out.Write(g.Inv, stream, data)
		total += len(data)
	}
	le.PutUint32(written, uint32(total))
	return success
}
