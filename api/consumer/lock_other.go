//go:build !unix

package consumer

import "os"

// lockDir makes the folder; where there are no locks of files, nothing keeps
// two processes from it.
func lockDir(dir string) (unlock func() error, err error) {
	return func() error { return nil }, os.MkdirAll(dir, 0o700)
}
