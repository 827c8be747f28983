module guichet/sdk

go 1.23
