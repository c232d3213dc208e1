package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// options are what tests make small.
type options struct {
	stall time.Duration // after which a connection that moves nothing is given up
	tries int           // of a request, and of reads in a row that fail
	part  int64         // bytes of an upload that are kept in memory to be sent again
}

var defaults = options{stall: time.Minute, tries: 5, part: 16 << 20}

// maxParts is S3's.
const maxParts = 10_000

// s3 keeps objects in a bucket of S3.
type s3 struct {
	core   minio.Core
	bucket string
	prefix string // with a slash at its end, or empty
	where  string
	options
}

func openS3(u *url.URL, o options) (Bucket, error) {
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		if err := ValidKey(prefix); err != nil {
			return nil, invalid("%.80q is no prefix of keys", prefix)
		}
		prefix += "/"
	}
	query := u.Query()
	for name := range query {
		if name != "endpoint" && name != "region" {
			return nil, invalid("%.40q is not known after the ? of an s3:// place; endpoint and region are", name)
		}
	}
	if err := s3utils.CheckValidBucketNameStrict(u.Host); err != nil {
		return nil, invalid("%.80q: %v", u.Host, err)
	}
	endpoint, err := url.Parse(cmp.Or(query.Get("endpoint"), "https://s3.amazonaws.com"))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" || strings.Trim(endpoint.Path, "/") != "" || endpoint.User != nil {
		return nil, invalid("endpoint is to be https://host or https://host:port")
	}
	keys := credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}})
	if v, err := keys.GetWithContext(nil); err != nil || v.AccessKeyID == "" {
		return nil, invalid("no credentials for %s: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE", u.Scheme+"://"+u.Host)
	}
	options := &minio.Options{
		Creds: keys, Secure: endpoint.Scheme == "https", Region: query.Get("region"),
		Transport: transport(o.stall), MaxRetries: o.tries,
	}
	if query.Has("endpoint") {
		options.BucketLookup = minio.BucketLookupPath // a name for each bucket is Amazon's
	}
	client, err := minio.New(endpoint.Host, options)
	if err != nil {
		return nil, invalid("%v", err)
	}
	where := "s3://" + u.Host + "/" + prefix
	return &s3{core: minio.Core{Client: client}, bucket: u.Host, prefix: prefix, where: strings.TrimSuffix(where, "/"), options: o}, nil
}

// transport gives up on a connection that moves nothing in either direction.
func transport(stall time.Duration) http.RoundTripper {
	dialer := &net.Dialer{Timeout: min(stall, 30*time.Second)}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &moving{Conn: c, stall: stall}, nil
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   min(stall, 15*time.Second),
		ResponseHeaderTimeout: stall,
		IdleConnTimeout:       stall / 2,
		MaxIdleConnsPerHost:   8,
		DisableCompression:    true, // an object is the bytes that were put
	}
}

// moving is a connection whose reads and writes fail once nothing has moved for a
// while. A read that waits while a body is written goes on.
type moving struct {
	net.Conn
	stall time.Duration
}

func (c *moving) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *moving) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (s *s3) String() string { return s.where }

func (s *s3) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	part := max(s.part, (size+maxParts-1)/maxParts)
	if size > maxParts*(5<<30) {
		return fault.New(fault.TooLarge, "put", fmt.Sprintf("%s: %d bytes are more than an object of S3 holds", key, size))
	}
	from := &counted{reading: reading{ctx: ctx, r: r}, size: size, key: key}
	var head bytes.Buffer
	_, err := io.CopyN(&head, from, part+1)
	if errors.Is(err, io.EOF) { // it fits one request, which is atomic
		o := putOptions
		o.DisableMultipart = true
		_, err = s.core.Client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(head.Bytes()), int64(head.Len()), o)
	} else if err == nil {
		o := putOptions
		o.PartSize = uint64(part)
		_, err = s.core.Client.PutObject(ctx, s.bucket, s.prefix+key, io.MultiReader(&head, from), -1, o)
	}
	if from.err != nil {
		return from.err
	}
	return s.fault(ctx, "put", key, err)
}

// putOptions has each request carry a checksum in the way that all services know.
var putOptions = minio.PutObjectOptions{ContentType: "application/octet-stream", SendContentMd5: true, DisableContentSha256: true}

// counted fails at the end of a source that gave another number of bytes than it
// said, so that the upload is given up.
type counted struct {
	reading
	key     string
	n, size int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.reading.Read(p)
	c.n += int64(n)
	if c.size >= 0 && (errors.Is(err, io.EOF) && c.n != c.size || c.n > c.size) {
		c.err = short(c.key, c.n, c.size)
		return n, c.err
	}
	return n, err
}

func (s *s3) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		o := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}
		if after != "" {
			o.StartAfter = s.prefix + after
		}
		for info := range s.core.ListObjectsIter(ctx, s.bucket, o) {
			if info.Err != nil {
				yield(Object{}, s.fault(ctx, "list", prefix, info.Err))
				return
			}
			key, ok := strings.CutPrefix(info.Key, s.prefix)
			if !ok || key <= after || ValidKey(key) != nil {
				continue // another's
			}
			if !yield(Object{Key: key, Size: info.Size, Modified: info.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Object{}, s.fault(ctx, "list", prefix, err))
		}
	}
}

func (s *s3) Delete(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	err := s.fault(ctx, "delete", key, s.core.Client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}

func (s *s3) Sweep(ctx context.Context, prefix string, before time.Time) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the list
	for upload := range s.core.ListIncompleteUploads(ctx, s.bucket, s.prefix+prefix, true) {
		if minio.ToErrorResponse(upload.Err).Code == minio.NoSuchUpload {
			return n, nil // what a service says of a bucket that has had none
		}
		if upload.Err != nil {
			return n, s.fault(ctx, "sweep", prefix, upload.Err)
		}
		if !upload.Initiated.Before(before) || !strings.HasPrefix(upload.Key, s.prefix+prefix) {
			continue
		}
		err := s.fault(ctx, "sweep", prefix, s.core.AbortMultipartUpload(ctx, s.bucket, upload.Key, upload.UploadID))
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return n, err
		}
		n++
	}
	return n, s.fault(ctx, "sweep", prefix, ctx.Err())
}

// fault says what could not be done to what; nil for nil.
func (s *s3) fault(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	what := s.where + "/" + key
	if ctx.Err() != nil {
		return fault.Wrap(fault.Deadline, op, what, context.Cause(ctx))
	}
	switch r := minio.ToErrorResponse(err); {
	case r.Code == minio.NoSuchBucket:
		return fault.New(fault.NotFound, op, fmt.Sprintf("there is no bucket %s; make it first", s.bucket))
	case r.Code == minio.NoSuchKey, r.Code == minio.NoSuchUpload:
		return fault.New(fault.NotFound, op, "there is no "+what)
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		return fault.Wrap(fault.Denied, op, what, err)
	}
	return fault.Wrap(fault.Unavailable, op, what, err)
}
