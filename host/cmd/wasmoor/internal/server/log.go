package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/logs"
)

// What waits for a slow reader of the log, in bytes: lines of the host, of its
// guests, and of the access log.
const (
	hostLines   = 256 << 10
	guestLines  = 1 << 20
	accessLines = 1 << 20
)

// serverLog is where a server logs. Nothing in the server waits for it.
type serverLog struct {
	p    *Commands
	out  *logs.Sink // to the standard error
	file *logs.File // of the access log; nil = that is a part of the log
	sink *logs.Sink // to the file
	hup  chan os.Signal
}

// openLog sets the loggers of s. Close the log.
func (p *Commands) openLog(s *settings) (*serverLog, error) {
	loggerTo, err := p.logging(s)
	if err != nil {
		return nil, err
	}
	accessTo, err := accessLogger(s)
	if err != nil {
		return nil, err
	}
	l := &serverLog{p: p, hup: make(chan os.Signal, 1)}
	if s.AccessLogFile != "" {
		if l.file, err = logs.OpenFile(s.AccessLogFile); err != nil {
			return nil, cli.FileError("open the access log", err)
		}
	}
	l.out = logs.NewSink(p.Stderr, logs.Tell(loggerTo(p.Stderr)))
	s.Host.LogDropped = l.dropped
	s.Host.Log = loggerTo(l.out.Share("host", hostLines))
	s.Host.GuestLog = loggerTo(l.out.Share("plugins", guestLines))
	if l.file == nil {
		s.Host.AccessLog = loggerTo(l.out.Share("requests", accessLines))
		return l, nil
	}
	l.sink = logs.NewSink(l.file, logs.Tell(s.Host.Log))
	s.Host.AccessLog, s.Host.AccessLogApart = accessTo(l.sink.Share("requests", accessLines)), true
	s.Host.AccessLogAgents = s.AccessLogFormat == formatCombined
	l.followRotation(s.Host.Log)
	return l, nil
}

// dropped returns how many lines had no room.
func (l *serverLog) dropped() int64 {
	n := l.out.Dropped()
	if l.sink != nil {
		n += l.sink.Dropped()
	}
	return n
}

// The formats of a file of the access log that others read.
const formatCommon, formatCombined = "common", "combined"

// accessLogger returns what makes the logger for a file of the access log.
func accessLogger(s *settings) (func(io.Writer) *slog.Logger, error) {
	if s.AccessLogFile == "" && s.AccessLogFormat != formatJSON {
		return nil, cli.Usage("access_log_format is that of access_log_file, which is not set; without one the access log is a part of the log, in log_format")
	}
	switch s.AccessLogFormat {
	case formatJSON:
		return jsonLogger(slog.LevelInfo), nil
	case formatText:
		return func(w io.Writer) *slog.Logger { return slog.New(textHandler(w, slog.LevelInfo, false)) }, nil
	case formatCommon, formatCombined:
		return func(w io.Writer) *slog.Logger { return logs.Common(w, s.AccessLogFormat == formatCombined) }, nil
	}
	return nil, cli.Usage("access_log_format %q is unknown; use json, text, common or combined", s.AccessLogFormat)
}

// followRotation opens the access log anew at SIGHUP, after which the name may stand
// for another file.
func (l *serverLog) followRotation(log *slog.Logger) {
	signal.Notify(l.hup, syscall.SIGHUP)
	go func() {
		for range l.hup {
			if err := l.file.Reopen(); err != nil {
				log.Error("the access log cannot be opened anew; the file before stays in use", "error", err)
			}
		}
	}()
}

// flushTimeout bounds how long the last lines take.
const flushTimeout = time.Second

// close writes the lines that wait. Where nobody reads the standard error, nothing
// more is written there: it would never end.
func (l *serverLog) close() {
	signal.Stop(l.hup)
	close(l.hup)
	if l.file != nil && flush(l.sink) {
		_ = l.file.Close()
	}
	if !flush(l.out) {
		l.p.Stderr = io.Discard
	}
}

// flush reports whether all lines of a sink were written in time.
func flush(s *logs.Sink) bool {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return s.Close(ctx) == nil
}
