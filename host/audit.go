package host

import (
	"context"
	"errors"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// AuditPoint is a place in the chain of the audit's events; package audit says what
// its hash is.
type AuditPoint = audit.Point

// ReadAudit reads the audit in cfg.DataDir, which no host uses meanwhile: begin gets
// the point after the last event that was pruned, line each event as it is stored. It
// ends with the first error of them, and returns the point after the last event. The
// other errors are those of New, and NotFound where there is no data.
func ReadAudit(ctx context.Context, cfg Config, begin func(AuditPoint) error, line func([]byte) error) (end AuditPoint, err error) {
	cfg.Log = logOf(cfg)
	if err := checkFormats(cfg.DataDir); err != nil {
		return end, err
	}
	if _, err := ReadDataVersion(cfg); err != nil {
		return end, err // there is nothing, and nothing is made
	}
	st, err := badger.Open(storeConfig(cfg))
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return registry.ReadAudit(ctx, st, begin, line)
}

// audited logs an event, so that whoever keeps the log apart from the machine can
// tell when events are missing from the end of the audit.
func (h *Host) audited(e registry.Audited) {
	h.cfg.Log.Info("audited", "event", e.Number, "hash", e.Hash, "action", string(e.Action), "plugin", e.Plugin, "by", e.By)
}
