-- Takes the effects of a lane that are due, each for the length of a lease.
--
-- KEYS  1 lane:L   2 lane:L:fence
-- ARGV  1 skew, ms   2 lease, ms   3 most   4 prefix of the lane's effect keys
-- Answer  { now, { member, body, generation, attempts, fence, since, how long after it was due, ms }, ... }: all but the first two are numbers
--
-- A claim moves the score to the end of the lease, so another claim comes only when this one was lost. A fence is
-- never given twice: an effect that is settled is gone, and one put anew under its name must not take the old hand for its own.
-- A counter that is none begins anew: it could be neither compared with nor counted on, so its effect would come back at once for ever.

-- As it is written by ourselves, in no more digits than a number holds exactly.
local function number(field)
  return field and #field <= 15 and (field == '0' or string.match(field, '^[1-9]%d*$')) and tonumber(field) or nil
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local answer = { now }
for at = 1, #due, 2 do
  local effect = ARGV[4] .. due[at]
  local fields = redis.call('HMGET', effect, 'body', 'generation', 'attempts', 'since')
  if fields[1] then
    for place, name in pairs({ [2] = 'generation', [3] = 'attempts' }) do
      fields[place] = number(fields[place])
      if not fields[place] then
        redis.call('HSET', effect, name, 0)
        fields[place] = 0
      end
    end
    local fence = redis.call('INCR', KEYS[2])
    redis.call('HSET', effect, 'fence', fence)
    local leased = string.format('%.0f', now + ARGV[2])
    redis.call('HSET', effect, 'leased', leased)
    redis.call('ZADD', KEYS[1], leased, due[at])
    local late = math.max(0, math.min(now, now - due[at + 1]))
    answer[#answer + 1] = { due[at], fields[1], fields[2], fields[3], fence, number(fields[4]) or 0, late }
  else
    redis.call('ZREM', KEYS[1], due[at])
  end
end
return answer
