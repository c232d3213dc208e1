package badger

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// badgerLog passes Badger's log on. What Badger calls information is detail
// here.
type badgerLog struct {
	log  *slog.Logger
	halt *halt
}

func (l badgerLog) Errorf(format string, args ...any)   { l.write(slog.LevelWarn, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.write(slog.LevelDebug, format, args) }

// Debugf gets several lines per write, which go nowhere.
func (l badgerLog) Debugf(format string, _ ...any) { l.halt.log(format) }

func (l badgerLog) write(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
