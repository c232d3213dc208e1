package host

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/formats"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/restoring"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// Formats are the formats of what a data folder holds.
type Formats = formats.Set

// ownFormats returns those that this program writes, and the newest it reads.
func ownFormats() Formats {
	number, _ := strconv.Atoi(strings.TrimPrefix(abi.Module, abi.ModulePrefix)) // a test reads it
	return Formats{Program: Version(), Store: badger.Format, Registry: registry.Format, Artefact: machine.Format, ABI: number}
}

// DataVersion says which formats this program and a data folder have.
type DataVersion struct {
	Binary  Formats `json:"binary"`
	Folder  Formats `json:"folder"`            // of the program that used it last
	Refused string  `json:"refused,omitempty"` // why this program does not use the folder; "" = it does
}

// ReadDataVersion returns the formats of this program and of cfg.DataDir, which
// a host may use meanwhile: it reads one small file, which each start brings up
// to date. Errors by fault code: NotFound (there is no data), Invalid (the file
// is damaged), Unavailable.
func ReadDataVersion(cfg Config) (DataVersion, error) {
	v := DataVersion{Binary: ownFormats()}
	if _, err := os.Stat(storeConfig(cfg).Marker); err != nil {
		return v, fault.Wrap(fault.NotFound, "", fmt.Sprintf("no wasmoor has stored anything in %s; name the folder with --data", cfg.DataDir), err)
	}
	var err error
	if v.Folder, err = formats.Read(cfg.DataDir); err != nil {
		return v, err
	}
	if err := v.Folder.Check(v.Binary); err != nil {
		v.Refused = fault.MessageOf(err)
	}
	return v, nil
}

// CheckFolder refuses a data folder that is half a restore, or of a newer program.
func CheckFolder(dir string) error {
	return cmp.Or(restoring.Check(dir), checkFormats(dir))
}

// checkFormats refuses a data folder that a newer program has written.
func checkFormats(dir string) error {
	folder, err := formats.Read(dir)
	if err == nil {
		err = folder.Check(ownFormats())
	}
	return err
}

// keepFormats notes in the data folder what this program writes there. A disk
// that is full does not keep it from serving: the parts guard themselves.
func keepFormats(cfg Config) {
	if err := ownFormats().Write(cfg.DataDir); err != nil {
		cfg.Log.Warn("the data folder does not say which formats it has", "error", err)
	}
}
