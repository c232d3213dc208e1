// Package tus is the protocol of resumable uploads, version 1.0.0, as far as a server
// reads and writes its fields (https://tus.io/protocols/resumable-upload). Package public
// has the uploads.
package tus

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Fields of answers.
const (
	Resumable    = "Tus-Resumable"
	Versions     = "Tus-Version"
	ExtensionsOf = "Tus-Extension"
	MaxSize      = "Tus-Max-Size"
	Offset       = "Upload-Offset"
	Expires      = "Upload-Expires"
	Length       = "Upload-Length"
	Metadata     = "Upload-Metadata"
)

// What the server speaks.
const (
	Version    = "1.0.0"
	Extensions = "creation,creation-with-upload,expiration,termination"
	typePart   = "application/offset+octet-stream"
)

// Why a request of a client is refused.
var (
	RefuseVersion   = wire.Refusing(http.StatusPreconditionFailed, fault.Invalid, "the server speaks version "+Version+" of tus (Tus-Resumable)")
	RefuseType      = wire.Refusing(http.StatusUnsupportedMediaType, fault.Invalid, "a part of an upload has the Content-Type "+typePart)
	RefuseLong      = wire.Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, "the body goes beyond the length of the upload (Upload-Length)")
	RefuseGone      = wire.Refusing(http.StatusNotFound, fault.NotFound, "there is no such upload; it was ended meanwhile")
	RefuseLocked    = wire.Refusing(http.StatusLocked, fault.Conflict, "the upload is in use by another request; try again")
	RefuseElsewhere = wire.Refusing(http.StatusConflict, fault.Conflict, "another request took the upload over: it goes on there, or was ended")
	RefuseOffset    = wire.Refusing(http.StatusConflict, fault.Conflict, "the Upload-Offset is not where the upload stands; ask for that with HEAD")
	RefusePreview   = wire.Refusing(http.StatusNotImplemented, fault.Invalid, "a preview takes no uploads")
	RefuseAll       = wire.Refusing(http.StatusServiceUnavailable, fault.Unavailable, "uploads are not taken here")
)

// IsSpoken reports whether a request is one of a client of tus.
func IsSpoken(headers []abi.Pair) bool {
	for _, h := range headers {
		if h.Name == "tus-resumable" {
			return true
		}
	}
	return false
}

// Judge refuses a request of a client that speaks another version.
func Judge(headers []abi.Pair) *wire.Refusal {
	if field.Single(headers, "tus-resumable") != Version {
		return RefuseVersion
	}
	return nil
}

// IsPart reports whether a body is bytes of an upload.
func IsPart(headers []abi.Pair) bool {
	of, _, _ := strings.Cut(field.Single(headers, "content-type"), ";")
	return strings.EqualFold(strings.TrimSpace(of), typePart)
}

// Method returns the method that a request about an upload means: some clients can send
// POST alone, and say in a field what they mean. "" = none that is about an upload.
func Method(method string, headers []abi.Pair) string {
	if method == http.MethodPost {
		method = field.Single(headers, "x-http-method-override")
	}
	switch method {
	case http.MethodPatch, http.MethodHead, http.MethodDelete:
		return method
	}
	return ""
}

// Size reads a field that is a number of bytes.
func Size(headers []abi.Pair, name string) (int64, *wire.Refusal) {
	text := field.Single(headers, strings.ToLower(name))
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil || text[0] == '+' {
		return 0, wire.Bad(fmt.Sprintf("the request needs one %s, a number of bytes", name))
	}
	return int64(n), nil
}
