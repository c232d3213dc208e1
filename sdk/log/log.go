// Package log writes to the plugin's log at the host, where every record
// carries the plugin, the version and the request id. Records survive an
// aborted or re-run request. Plugins import it.
//
//	log.Info("link created", "slug", slug, "clicks", 3)
//
// Attributes are a name and a value in turn, as with log/slog. Values are
// strings, byte slices, booleans, numbers, errors and anything with a String
// method. The host cuts messages above its limit, 8 KiB by default, and keeps
// 1,000 records of a request; attributes above 8 KiB in all are left out.
// Records written while no request is served are dropped.
package log

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
	"github.com/wasmoor/wasmoor/sdk/internal/text"
)

// Debug writes a record for the author of the plugin.
func Debug(message string, attrs ...any) { write(abi.LogDebug, message, attrs) }

// Info writes a record of something worth knowing.
func Info(message string, attrs ...any) { write(abi.LogInfo, message, attrs) }

// Warn writes a record of something that may need a look.
func Warn(message string, attrs ...any) { write(abi.LogWarn, message, attrs) }

// Error writes a record of something that went wrong.
func Error(message string, attrs ...any) { write(abi.LogError, message, attrs) }

// badKey names a value that came without a name, as log/slog does.
const badKey = "!BADKEY"

func write(level uint32, message string, attrs []any) {
	var buf [512]byte
	b := buf[:0]
	if len(attrs) > 0 {
		b = appendAttrs(b, attrs)
	}
	if hostcall.LogWrite(level, message, b) == int64(abi.Limit) {
		hostcall.LogWrite(level, message, abi.AppendPairs(buf[:0], leftOut))
	}
}

var leftOut = []abi.Pair{{Name: "attributes", Value: "left out, over the host's limit"}}

func appendAttrs(b []byte, attrs []any) []byte {
	var pairs [8]abi.Pair
	list := pairs[:0]
	for len(attrs) > 0 {
		name, ok := attrs[0].(string)
		if !ok || len(attrs) == 1 {
			list = append(list, abi.Pair{Name: badKey, Value: text.Of(attrs[0])})
			attrs = attrs[1:]
			continue
		}
		list = append(list, abi.Pair{Name: name, Value: text.Of(attrs[1])})
		attrs = attrs[2:]
	}
	return abi.AppendPairs(b, list)
}
