module spawn_go

go 1.19
