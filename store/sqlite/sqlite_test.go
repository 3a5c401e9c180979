package sqlite_test

import (
	"testing"

	"github.com/rollcall-csirt/rollcall/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, storetest.SQLite()) }
