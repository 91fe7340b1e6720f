def detect_landmarks():
    raise NotImplementedError
