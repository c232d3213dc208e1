//go:build !linux

package prepare

import "time"

func activity(int) (active time.Duration, now, known bool) { return 0, false, false }

func peakMemory() int64 { return 0 }

func memoryKills() int64 { return 0 }
