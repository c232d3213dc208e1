package main

import (
	"io"
	"log/slog"

	"github.com/lmittmann/tint"
)

// Formats of the server's log.
const (
	formatAuto = "auto" // text for a person at a terminal, JSON for everything else
	formatText = "text"
	formatJSON = "json"
)

// logger returns the server's logger, which writes to w.
func (p *program) logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var minimum slog.Level
	if err := minimum.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("log_level %q is unknown; use debug, info, warn or error", level)
	}
	switch {
	case format == formatText, format == formatAuto && isTerminal(w):
		return slog.New(tint.NewTextHandler(w, &tint.Options{
			Level: minimum, TimeFormat: "15:04:05.000", NoColor: !p.colours(w),
		})), nil
	case format == formatJSON, format == formatAuto:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: minimum})), nil
	}
	return nil, usage("log_format %q is unknown; use auto, text or json", format)
}
