package adminapi

import "time"

// The paths of backups.
const (
	PathBackup  = "/v1/backup"
	PathBackups = "/v1/backups"
)

// TypeBackup is the media type of a backup.
const TypeBackup = "application/zstd"

// Backup says what a backup holds.
type Backup struct {
	Name         string    `json:"name,omitempty" doc:"In its place; empty = it has none"`
	Created      time.Time `json:"created"`
	Revision     uint64    `json:"revision" doc:"All its records are those of this revision"`
	Entries      int64     `json:"entries" doc:"How many the store has"`
	Modules      int       `json:"modules"`
	Blobs        int64     `json:"blobs" doc:"How many blobs it has the bytes of"`
	BlobBytes    int64     `json:"blob_bytes" doc:"Bytes of these"`
	BlobsMissing int64     `json:"blobs_missing,omitempty" doc:"How many blobs are named whose bytes were missing or damaged where it was made"`
	BlobsIn      string    `json:"blobs_in,omitempty" doc:"The place that keeps the bytes of blobs, which are not in the backup then"`
	Content      int64     `json:"content" doc:"Bytes of what it holds"`
	Size         int64     `json:"size" doc:"Bytes of the backup"`
	SHA256       string    `json:"sha256" doc:"Of the backup"`
	Encrypted    bool      `json:"encrypted"`
	Program      string    `json:"program" doc:"Version of the program that made it"`
	Store        string    `json:"store" doc:"The id of the store"`
	Format       int       `json:"format"`
}

// Backups is what the server's own place holds, and how its schedule does.
type Backups struct {
	Place      string   `json:"place"`
	Every      string   `json:"every" doc:"How often there is to be one" example:"24h0m0s"`
	Keep       int      `json:"keep" doc:"How many of the newest are kept"`
	Running    bool     `json:"running" doc:"One is being made"`
	Late       bool     `json:"late" doc:"The newest is older than it should be"`
	Made       uint64   `json:"made" doc:"How many, since the start of the server"`
	Failures   uint64   `json:"failures" doc:"How many attempts have failed since then"`
	LastError  string   `json:"last_error,omitempty" doc:"Why the last attempt failed; absent when it did not"`
	Backups    []Backup `json:"backups" doc:"The newest last"`
	Unfinished []string `json:"unfinished" doc:"What is being made, or is left of what did not finish"`
	Damaged    []string `json:"damaged,omitempty" doc:"What is wrong with those whose notes are damaged; nothing removes them by itself"`
}
