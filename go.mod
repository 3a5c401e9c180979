module github.com/rollcall-csirt/rollcall

go 1.26.0
