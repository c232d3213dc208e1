package linear

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// share puts mem in a sealed file in memory, and maps that for reading. Not ok
// where the system refuses one of the steps.
func share(mem []byte) (file int, image []byte, ok bool) {
	if len(mem) == 0 {
		return -1, nil, false
	}
	if file, ok = memoryFile(); !ok {
		return -1, nil, false
	}
	if fill(file, mem) == nil {
		var err error
		if image, err = unix.Mmap(file, 0, len(mem), unix.PROT_READ, unix.MAP_SHARED); err == nil {
			return file, image, true
		}
	}
	_ = unix.Close(file)
	return -1, nil, false
}

// memoryFile opens a file that cannot be executed, a flag that kernels before
// 6.3 do not know and that some are set up to demand.
func memoryFile() (file int, ok bool) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	file, err := unix.MemfdCreate("wasmoor-image", flags|unix.MFD_NOEXEC_SEAL)
	if err != nil {
		file, err = unix.MemfdCreate("wasmoor-image", flags)
	}
	return file, err == nil
}

// fill writes what of mem is not zero, so that the rest stays holes, and seals
// the file: its mappings cannot change, nor end in a fault.
func fill(file int, mem []byte) error {
	if err := unix.Ftruncate(file, int64(len(mem))); err != nil {
		return err
	}
	for at := 0; at < len(mem); {
		end := at
		for end < len(mem) && !zero(mem[end:end+systemPage]) {
			end += systemPage
		}
		for at < end {
			n, err := unix.Pwrite(file, mem[at:end], int64(at))
			if err != nil {
				return err
			}
			at += n
		}
		at += systemPage // the page of zeros that ended the run
	}
	_, err := unix.FcntlInt(uintptr(file), unix.F_ADD_SEALS,
		unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	return err
}

func unshare(file int, image []byte) {
	release(image)
	_ = unix.Close(file)
}

// place maps the image at the start of a reservation, copied on write. False
// where the system refuses.
func (i *Image) place(space []byte) bool {
	at := unsafe.Pointer(unsafe.SliceData(space))
	_, err := unix.MmapPtr(i.file, 0, at, uintptr(len(i.bytes)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return false
	}
	smallPages(space[:len(i.bytes)])
	return true
}
