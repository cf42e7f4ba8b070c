-- SPDX-License-Identifier: MIT
-- A mixed, deterministic Lua workload: tables, strings, closures, patterns, sorting, coroutines,
-- metatables, numbers. Prints a checksum.
local checksum = 0
local function add(value) checksum = (checksum * 31 + math.floor(value)) % 1000000007 end

local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
add(fib(29))

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
local sum = setmetatable({x = 0, y = 0}, Vector)
for i = 1, 400000 do sum = sum + setmetatable({x = i % 7 - 3, y = i % 11 - 5}, Vector) end
add(sum.x) add(sum.y + 1000)

local counts, seed = {}, 12345
for _ = 1, 300000 do
  seed = (seed * 1103515245 + 12345) % 2147483648
  local word = "w" .. seed % 997
  counts[word] = (counts[word] or 0) + 1
end
local ranked = {}
for word, count in pairs(counts) do ranked[#ranked + 1] = {word, count} end
table.sort(ranked, function(a, b)
  if a[2] ~= b[2] then return a[2] > b[2] end
  return a[1] < b[1]
end)
for i = 1, 20 do add(ranked[i][2]) end

local total = 0
for i = 1, 40000 do
  local text = string.format("alpha=%d;beta=%d;gamma=%x", i, i * 3, i * 7)
  for key, value in text:gmatch("(%a+)=(%w+)") do total = total + #key + #value end
  total = total + select(2, text:gsub("a", "bb"))
  if text:find("9;b", 1, true) then total = total + 1 end
end
add(total)

local producer = coroutine.wrap(function()
  local value = 1
  while true do
    value = value * 48271 % 2147483647
    coroutine.yield(value)
  end
end)
for _ = 1, 300000 do add(producer() // 8) end

local function place(n, row, columns, left, right)
  if row > n then return 1 end
  local found = 0
  for column = 1, n do
    if not (columns[column] or left[row + column] or right[row - column + n]) then
      columns[column], left[row + column], right[row - column + n] = true, true, true
      found = found + place(n, row + 1, columns, left, right)
      columns[column], left[row + column], right[row - column + n] = nil, nil, nil
    end
  end
  return found
end
add(place(8, 1, {}, {}, {}))

local size = 120
local a, b = {}, {}
for i = 1, size do
  a[i], b[i] = {}, {}
  for j = 1, size do a[i][j], b[i][j] = i * j % 17, (i + j) % 13 end
end
for i = 1, size do
  for j = 1, size do
    local s = 0
    for k = 1, size do s = s + a[i][k] * b[k][j] end
    add(s)
  end
end
for i = 1, 60000 do
  local ok, message = pcall(function() if i % 3 == 0 then error("x" .. i) end return i end)
  add(ok and 1 or #tostring(message))
end
print(checksum)
