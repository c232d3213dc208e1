//go:build !wasip1

package world

import (
	"crypto/rand"
	"time"
)

func machineNow() int64 { return time.Now().UnixNano() }

func machineRandom(b []byte) { _, _ = rand.Read(b) } // it never fails
